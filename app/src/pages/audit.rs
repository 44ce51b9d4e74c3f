//! `/organisation/audit`: who did what, on what, from where and when. What it shows lives in the URL's query, as with streams.

use afterlive_domain::Act;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use super::skeleton;
use crate::backend::{self, AuditFilter, AuditRow, Named};
use crate::live::loaded;
use crate::query::{audit_filter, audit_url};
use crate::server_fns::audit::load_audit;
use crate::ui::filters::{ClearFilters, FilterForm};
use crate::ui::icon::Icon;
use crate::ui::rows::keyed_rows;
use crate::ui::when::When;

#[component]
pub fn AuditPage() -> impl IntoView {
    let query = use_query_map();
    let filter = Memo::new(move |_| query.with(audit_filter));
    view! {
        <Title text="Audit log" />
        <div class="page-head">
            <div>
                <p class="kicker">
                    <a href="/organisation">"Organisation"</a>
                </p>
                <h1>"Audit log"</h1>
            </div>
        </div>
        {loaded(filter, load_audit, skeleton, move |page| view! { <Content filter page /> })}
    }
}

#[component]
fn Content(filter: Memo<AuditFilter>, page: Signal<backend::AuditPage>) -> impl IntoView {
    let rows = Signal::derive(move || page.with(|page| page.rows.clone()));
    let is_empty = Memo::new(move |_| rows.with(Vec::is_empty));
    let keep_days = Memo::new(move |_| page.with(|page| page.keep_days));
    let about = move || match keep_days.get() {
        0 => "Every change, and every attempt that was denied, is kept for ever.".to_owned(),
        days => format!(
            "Every change, and every attempt that was denied, of the last {days} days. Nobody can change or delete it here."
        ),
    };
    view! {
        <Filters filter />
        <section class="card" aria-label="Audit log">
            <p class="muted about-shelf">
                {about} " Attempts are counted together for a minute before they stand here."
            </p>
            {move || {
                if is_empty.get() {
                    view! { <Nothing filter page /> }.into_any()
                } else {
                    view! { <Rows rows /> }.into_any()
                }
            }}
            <Foot filter page />
        </section>
    }
}

/// Which of the fields narrow what is shown.
fn is_narrowed(filter: &AuditFilter) -> bool {
    filter.about.is_some() || filter.who.is_some() || filter.denied
}

/// `session_token` is two words to people.
fn group_name(group: &str) -> String {
    group.replace('_', " ")
}

#[component]
fn Filters(filter: Memo<AuditFilter>) -> impl IntoView {
    let groups = move || {
        let chosen = filter.with(|filter| filter.about.clone());
        let option = |group: &'static str| {
            let is_chosen = chosen.as_deref() == Some(group);
            view! {
                <option value=group selected=is_chosen prop:selected=is_chosen>
                    {group_name(group)}
                </option>
            }
        };
        Act::groups().into_iter().map(option).collect_view()
    };
    let only_denied = move || filter.with(|filter| filter.denied);
    view! {
        <FilterForm action="/organisation/audit" url_of=|said| audit_url(&audit_filter(said))>
            <label>
                "About"
                <select name="about">
                    <option value="">"Everything"</option>
                    {groups}
                </select>
            </label>
            <label>
                "Outcome"
                <select name="denied">
                    <option value="">"All"</option>
                    <option value="1" selected=only_denied prop:selected=only_denied>
                        "Denied only"
                    </option>
                </select>
            </label>
            {move || filter.get().who.map(|who| view! { <input type="hidden" name="who" value=who /> })}
            <button class="button">{Icon::Search.draw()} "Show"</button>
            <ClearFilters
                is_filtered=Signal::derive(move || filter.with(is_narrowed))
                url=Signal::derive(|| audit_url(&AuditFilter::default()))
            />
        </FilterForm>
    }
}

#[component]
fn Rows(rows: Signal<Vec<AuditRow>>) -> impl IntoView {
    let row = |row: Signal<AuditRow>| view! { <Row row=row.get_untracked() /> }.into_any();
    view! {
        <table class="audit-table">
            <caption class="offscreen">"Audit log, newest first"</caption>
            <thead>
                <tr>
                    <th scope="col">"When " <small>"(UTC)"</small></th>
                    <th scope="col">"Who"</th>
                    <th scope="col">"What"</th>
                    <th scope="col">"On"</th>
                    <th scope="col">"From"</th>
                </tr>
            </thead>
            // A row never changes.
            <tbody>{keyed_rows(rows, |row| row.id, row)}</tbody>
        </table>
    }
}

#[component]
fn Row(row: AuditRow) -> impl IntoView {
    let AuditRow { at, count, act, denied, who, from, on, detail, .. } = row;
    view! {
        <tr>
            <td data-label="When (UTC)" class="when">
                <When at=Signal::stored(at) />
            </td>
            <td data-label="Who" class="address">
                <Who who />
            </td>
            <td data-label="What">
                <span>
                    {denied.then(|| view! { <span class="pill failed">{Icon::Failed.draw()} "denied"</span> " " })} {act}
                    {(count > 1).then(|| view! { <strong>{format!(" × {count}")}</strong> })}
                    {detail.map(|detail| view! { <small class="muted address">{detail}</small> })}
                </span>
            </td>
            <td data-label="On" class="address">
                {on.map(|on| view! { <Thing on /> })}
            </td>
            <td data-label="From" class="address">
                {from.unwrap_or_else(|| "the server".to_owned())}
            </td>
        </tr>
    }
}

/// Leads to what else they did.
#[component]
fn Who(who: Named) -> impl IntoView {
    let Named { kind, id, label, .. } = who;
    match id {
        Some(id) => {
            let url = audit_url(&AuditFilter { who: Some(id.clone()), ..AuditFilter::default() });
            let text = if label.is_empty() { id } else { label };
            view! { <span><a href=url>{text}</a> <small class="muted">{kind}</small></span> }.into_any()
        }
        None => view! { <span>{kind}</span> }.into_any(),
    }
}

#[component]
fn Thing(on: Named) -> impl IntoView {
    let Named { kind, id, label, path } = on;
    let text = if label.is_empty() { id.unwrap_or_default() } else { label };
    let name = match path {
        Some(path) => view! { <a href=path>{text}</a> }.into_any(),
        None => view! { {text} }.into_any(),
    };
    view! { <span>{name} <small class="muted">{kind}</small></span> }
}

/// Where there are more. Pages have no numbers: rows come while one reads.
#[component]
fn Foot(filter: Memo<AuditFilter>, page: Signal<backend::AuditPage>) -> impl IntoView {
    let next = Memo::new(move |_| page.with(|page| page.next.clone()));
    let newest = move || {
        filter.with(|filter| filter.after.is_some()).then(|| {
            view! {
                <a class="button quiet" href=audit_url(&AuditFilter { after: None, ..filter.get() })>
                    {Icon::Previous.draw()}
                    "Newest"
                </a>
            }
        })
    };
    let older = move || {
        next.get().map(|after| {
            view! {
                <a class="button quiet" rel="next" href=audit_url(&AuditFilter { after: Some(after), ..filter.get() })>
                    {Icon::Next.draw()}
                    "Older"
                </a>
            }
        })
    };
    let is_one_of_many = move || filter.with(|filter| filter.after.is_some()) || next.with(Option::is_some);
    move || {
        is_one_of_many().then(|| {
            view! {
                <nav class="pager" aria-label="Pages">
                    {newest} {older}
                </nav>
            }
        })
    }
}

#[component]
fn Nothing(filter: Memo<AuditFilter>, page: Signal<backend::AuditPage>) -> impl IntoView {
    let text = move || {
        if page.with(|page| page.next.is_some()) {
            return view! { <p>"Nothing in the many rows looked at matches; older ones may."</p> }.into_any();
        }
        if filter.with(is_narrowed) || filter.with(|filter| filter.after.is_some()) {
            return view! { <p>"Nothing matches. " <a href="/organisation/audit">"Show everything"</a></p> }.into_any();
        }
        view! { <p>"Nothing yet. What people and programs change from now on stands here, with who it was and from where."</p> }
            .into_any()
    };
    view! { <div class="empty">{text}</div> }
}
