//! Page after page of a long list.

use leptos::prelude::*;

use super::icon::Icon;

/// Links to the pages before and after; nothing where there is one page. `url` gives a page's address.
#[component]
pub fn Pager(
    #[prop(into)] page: Signal<u32>,
    #[prop(into)] pages: Signal<u32>,
    url: impl Fn(u32) -> String + Send + 'static,
) -> impl IntoView {
    move || {
        let (page, pages) = (page.get(), pages.get());
        (pages > 1 || page > 1).then(|| {
            let link = |to: u32, rel: &'static str, text: &'static str, icon: Icon| {
                view! {
                    <a class="button quiet" rel=rel href=url(to)>
                        {icon.draw()}
                        {text}
                    </a>
                }
            };
            view! {
                <nav class="pager" aria-label="Pages">
                    {(page > 1).then(|| link(page - 1, "prev", "Previous", Icon::Previous))}
                    <span class="muted">{format!("Page {page} of {pages}")}</span>
                    {(page < pages).then(|| link(page + 1, "next", "Next", Icon::Next))}
                </nav>
            }
        })
    }
}

/// Links to the list with so many rows a page; `of` completes "… a page". Nothing where all of the list fits on the smallest.
#[component]
pub fn PageSizes(
    /// Whether there is more than the smallest page has.
    #[prop(into)]
    is_long: Signal<bool>,
    sizes: &'static [u32],
    #[prop(into)] chosen: Signal<u32>,
    of: &'static str,
    url: impl Fn(u32) -> String + Clone + Send + 'static,
) -> impl IntoView {
    let is_long = Memo::new(move |_| is_long.get());
    move || {
        is_long.get().then(|| {
            let link = |size: u32| {
                let url = url.clone();
                view! {
                    <a href=move || url(size) aria-current=move || (chosen.get() == size).then_some("true")>
                        {size}
                    </a>
                }
            };
            view! {
                <nav class="page-sizes" aria-label=format!("{of} a page")>
                    {sizes.iter().copied().map(link).collect_view()}
                    <span class="muted">"a page"</span>
                </nav>
            }
        })
    }
}
