//! `/stream`: the list. What it shows lives in the URL's query, so that a view of it can be kept and sent.

use afterlive_domain::StreamState;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use super::skeleton;
use crate::backend::{StreamFilter, StreamPage, StreamSort};
use crate::format;
use crate::live::{listen, loaded};
use crate::query::{PAGE_SIZES, day_text, last_day_text, sort_name, stream_filter, stream_list_url};
use crate::server_fns::streams::load_streams;
use crate::ui::editors::ForEditors;
use crate::ui::filters::{ClearFilters, FilterField, FilterForm, TagField};
use crate::ui::icon::Icon;
use crate::ui::pager::{PageSizes, Pager};
use crate::ui::state_pill::stream_icon;
use crate::ui::stream_table::StreamTable;

#[component]
pub fn StreamsPage() -> impl IntoView {
    let query = use_query_map();
    let filter = Memo::new(move |_| query.with(stream_filter));
    view! {
        <Title text="Streams" />
        <div class="page-head">
            <h1>"Streams"</h1>
        </div>
        {loaded(filter, load_streams, skeleton, move |page| view! { <List filter page /> })}
    }
}

#[component]
fn List(filter: Memo<StreamFilter>, page: Signal<StreamPage>) -> impl IntoView {
    listen(None);
    let total = Memo::new(move |_| page.with(|page| page.total));
    let pages = Signal::derive(move || {
        let size = u64::from(filter.with(|filter| filter.page_size)).max(1);
        u32::try_from(total.get().div_ceil(size)).unwrap_or(u32::MAX)
    });
    let is_empty = Memo::new(move |_| page.with(|page| page.rows.is_empty()));
    view! {
        <StateTabs filter page />
        <Filters filter page />
        <section class="card" aria-label="Streams">
            {move || {
                if is_empty.get() {
                    view! { <NoStreams filter /> }.into_any()
                } else {
                    view! {
                        <StreamTable
                            rows=Signal::derive(move || page.with(|page| page.rows.clone()))
                            caption="Streams of your organisation"
                        />
                    }
                        .into_any()
                }
            }}
            <div class="list-foot">
                <p class="muted" role="status">
                    {move || format::count(total.get(), "stream", "streams")}
                </p>
                <Pager
                    page=Signal::derive(move || filter.with(|filter| filter.page))
                    pages
                    url=move |page| stream_list_url(&StreamFilter { page, ..filter.get() })
                />
                <PageSizes
                    is_long=Signal::derive(move || total.get() > u64::from(PAGE_SIZES[0]))
                    sizes=&PAGE_SIZES
                    chosen=Signal::derive(move || filter.with(|filter| filter.page_size))
                    of="Streams"
                    url=move |page_size| stream_list_url(&StreamFilter { page_size, page: 1, ..filter.get() })
                />
            </div>
        </section>
    }
}

#[component]
fn StateTabs(filter: Memo<StreamFilter>, page: Signal<StreamPage>) -> impl IntoView {
    let counts = Memo::new(move |_| page.with(|page| page.counts));
    let tab = move |state: Option<StreamState>| {
        let number = move || {
            let counts = counts.get();
            match state {
                None => counts.all,
                Some(StreamState::Live) => counts.live,
                Some(StreamState::Created) => counts.created,
                Some(StreamState::Ended) => counts.ended,
                Some(StreamState::Locked) => counts.locked,
                Some(StreamState::Deleted) => counts.deleted,
            }
        };
        view! {
            <li>
                <a
                    href=move || stream_list_url(&StreamFilter { state, page: 1, ..filter.get() })
                    aria-current=move || filter.with(|filter| filter.state == state).then_some("true")
                >
                    {state.map(|state| stream_icon(state).draw())}
                    {state.map_or("all", StreamState::as_str)}
                    <span class="tab-count">{move || format::thousands(number())}</span>
                </a>
            </li>
        }
    };
    view! {
        <nav aria-label="State">
            <ul class="tabs">
                {tab(None)} {StreamState::ALL.map(|state| tab(Some(state))).into_iter().collect_view()}
            </ul>
        </nav>
    }
}

#[component]
fn Filters(filter: Memo<StreamFilter>, page: Signal<StreamPage>) -> impl IntoView {
    let tags = Memo::new(move |_| page.with(|page| page.tags.clone()));
    let is_filtered = move || {
        filter.with(|filter| filter.search.is_some() || filter.tag.is_some() || filter.from.is_some() || filter.to.is_some())
    };
    let said = move |of: fn(&StreamFilter) -> Option<String>| Signal::derive(move || filter.with(of));
    let state = move || filter.with(|filter| filter.state.map_or("", StreamState::as_str));
    let sort_option = move |sort: StreamSort, text: &'static str| {
        view! {
            <option
                value=sort_name(sort)
                selected=move || filter.with(|filter| filter.sort == sort)
                prop:selected=move || filter.with(|filter| filter.sort == sort)
            >
                {text}
            </option>
        }
    };
    view! {
        <FilterForm action="/stream" url_of=|said| stream_list_url(&stream_filter(said))>
            <input type="hidden" name="state" value=state />
            <input type="hidden" name="size" value=move || filter.with(|filter| filter.page_size.to_string()) />
            <FilterField
                label="Search"
                kind="search"
                name="q"
                placeholder="Id, streamname or tag"
                grows=true
                value=said(|filter| filter.search.clone())
            />
            <TagField value=said(|filter| filter.tag.clone()) known=tags />
            <FilterField label="Created from" kind="date" name="from" value=said(|filter| Some(day_text(filter.from))) />
            <FilterField label="to" kind="date" name="to" value=said(|filter| Some(last_day_text(filter.to))) />
            <label>
                "Sort"
                <select name="sort">
                    {sort_option(StreamSort::Created, "Newest first")}
                    {sort_option(StreamSort::Updated, "Last updated first")}
                    {sort_option(StreamSort::Name, "By streamname")}
                </select>
            </label>
            <button class="button">{Icon::Search.draw()} "Show"</button>
            <ClearFilters
                is_filtered=Signal::derive(is_filtered)
                url=Signal::derive(move || {
                    stream_list_url(&StreamFilter { state: filter.get().state, page_size: 25, page: 1, ..Default::default() })
                })
            />
        </FilterForm>
    }
}

#[component]
fn NoStreams(filter: Memo<StreamFilter>) -> impl IntoView {
    let is_plain = move || {
        filter.with(|filter| {
            *filter == StreamFilter { page_size: filter.page_size, page: filter.page, sort: filter.sort, ..Default::default() }
        })
    };
    move || {
        if is_plain() {
            view! {
                <div class="empty">
                    <ForEditors others="There are no streams yet. Who may create streams makes the first; your role lets you see them.">
                        <p>"There are no streams yet. Create one to get an address that encoders can send to."</p>
                        <p class="actions">
                            <a class="button primary" href="/stream/create">
                                {Icon::Plus.draw()}
                                "Create a stream"
                            </a>
                        </p>
                    </ForEditors>
                </div>
            }
            .into_any()
        } else {
            view! {
                <div class="empty">
                    <p>"No stream matches. " <a href="/stream">"Show all streams"</a></p>
                </div>
            }
            .into_any()
        }
    }
}
