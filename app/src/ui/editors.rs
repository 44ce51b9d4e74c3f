//! What only those are shown who may create and edit streams. Refused to others by the server; here it is out of their way.

use afterlive_domain::Permission;
use leptos::prelude::*;

use crate::backend::Access;
use crate::server_fns::access::load_access;

/// `others` is a sentence for who may not.
#[component]
pub fn ForEditors(#[prop(optional)] others: &'static str, children: ChildrenFn) -> impl IntoView {
    let access = OnceResource::new(load_access());
    view! {
        <Suspense>
            {move || {
                let children = children.clone();
                Suspend::new(async move {
                    match access.await {
                        Ok(Access::SignedIn(viewer)) if viewer.role.allows(Permission::EditStreams) => children().into_any(),
                        _ => view! { <p class="muted">{others}</p> }.into_any(),
                    }
                })
            }}
        </Suspense>
    }
}
