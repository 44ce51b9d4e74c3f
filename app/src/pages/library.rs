//! `/vod`: the library of all recordings. What it shows lives in the URL's query, as with streams.

use afterlive_domain::{AssetState, Permission, Region};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use crate::backend::{self, LibraryFilter, Shelf};
use crate::live::{follow_growth, listen, loaded};
use crate::query::{LIBRARY_PAGE_SIZES, day_text, last_day_text, library_filter, library_url};
use crate::server_fns::library::load_library;
use crate::ui::filters::{ClearFilters, FilterField, FilterForm, TagField};
use crate::ui::icon::Icon;
use crate::ui::library_table::LibraryTable;
use crate::ui::pager::PageSizes;
use crate::ui::recording_actions::Acts;

#[component]
pub fn LibraryPage() -> impl IntoView {
    let query = use_query_map();
    let filter = Memo::new(move |_| query.with(library_filter));
    view! {
        <Title text="Recordings" />
        <div class="page-head">
            <h1>"Recordings"</h1>
        </div>
        {loaded(filter, load_library, skeleton, move |page| view! { <Library filter page /> })}
    }
}

/// Tabs, filters, rows.
fn skeleton() -> AnyView {
    view! {
        <div class="skeleton" role="status" aria-label="Loading">
            <div class="bone title"></div>
            <div class="bone"></div>
            <div class="bone-rows">
                {(0..6).map(|_| view! { <div class="bone"></div> }).collect_view()}
            </div>
        </div>
    }
    .into_any()
}

#[component]
fn Library(filter: Memo<LibraryFilter>, page: Signal<backend::LibraryPage>) -> impl IntoView {
    listen(None);
    let grows = |page: &backend::LibraryPage| page.rows.iter().any(|row| row.recording.state == AssetState::Recording);
    follow_growth(Memo::new(move |_| page.with(grows)).into());
    let acts =
        Acts::new(Signal::derive(move || library_url(&filter.get())), Signal::derive(move || page.with(|page| page.bin_days)));
    let rows = Signal::derive(move || page.with(|page| page.rows.clone()));
    let is_empty = Memo::new(move |_| page.with(|page| page.rows.is_empty()));
    let may_administer = Memo::new(move |_| page.with(|page| page.role.allows(Permission::Administer)));
    view! {
        <Shelves filter />
        <Filters filter page />
        <section class="card" aria-label="Recordings">
            {move || (filter.with(|filter| filter.shelf) == Some(Shelf::Bin)).then(|| view! { <AboutTheBin /> })}
            {move || {
                if is_empty.get() {
                    view! { <NoRecordings filter /> }.into_any()
                } else {
                    view! { <LibraryTable rows acts may_administer=may_administer.into() /> }.into_any()
                }
            }}
            <Foot filter page />
        </section>
    }
}

#[component]
fn Shelves(filter: Memo<LibraryFilter>) -> impl IntoView {
    let tab = move |shelf: Option<Shelf>, icon: Option<Icon>, name: &'static str| {
        view! {
            <li>
                <a
                    href=move || library_url(&LibraryFilter { shelf, cursor: None, ..filter.get() })
                    aria-current=move || filter.with(|filter| filter.shelf == shelf).then_some("true")
                >
                    {icon.map(Icon::draw)}
                    {name}
                </a>
            </li>
        }
    };
    view! {
        <nav aria-label="State">
            <ul class="tabs">
                {tab(None, None, "all")} {tab(Some(Shelf::Recording), Some(Icon::Recording), "recording")}
                {tab(Some(Shelf::Ready), Some(Icon::Ready), "ready")}
                {tab(Some(Shelf::Incomplete), Some(Icon::Incomplete), "incomplete")}
                {tab(Some(Shelf::Failed), Some(Icon::Failed), "failed")} {tab(Some(Shelf::Held), Some(Icon::Hold), "on hold")}
                {tab(Some(Shelf::Bin), Some(Icon::Deleted), "in the bin")}
            </ul>
        </nav>
    }
}

/// Which of the fields narrow what the tab shows.
fn is_narrowed(filter: &LibraryFilter) -> bool {
    let LibraryFilter { shelf: _, stream, tag, region, search, from, to, page_size: _, cursor: _ } = filter;
    let texts = [stream, tag, search].into_iter().any(Option::is_some);
    texts || region.is_some() || from.is_some() || to.is_some()
}

#[component]
fn Filters(filter: Memo<LibraryFilter>, page: Signal<backend::LibraryPage>) -> impl IntoView {
    let tags = Memo::new(move |_| page.with(|page| page.tags.clone()));
    let regions = Memo::new(move |_| page.with(|page| page.regions.clone()));
    let said = move |of: fn(&LibraryFilter) -> Option<String>| Signal::derive(move || filter.with(of));
    let region_options = move || {
        let chosen = filter.with(|filter| filter.region.clone());
        let option = |region: Region| {
            let is_chosen = chosen.as_ref() == Some(&region);
            view! {
                <option value=region.to_string() selected=is_chosen prop:selected=is_chosen>
                    {region.title().to_owned()}
                </option>
            }
        };
        regions.get().into_iter().map(option).collect_view()
    };
    view! {
        <FilterForm action="/vod" url_of=|said| library_url(&library_filter(said))>
            <input type="hidden" name="state" value=said(|filter| filter.shelf.map(|shelf| shelf.to_string())) />
            <input type="hidden" name="size" value=said(|filter| Some(filter.page_size.to_string())) />
            <FilterField
                label="Search"
                kind="search"
                name="q"
                placeholder="File name, id or tag"
                grows=true
                value=said(|filter| filter.search.clone())
            />
            <FilterField
                label="Stream"
                kind="text"
                name="stream"
                placeholder="Streamname or id"
                value=said(|filter| filter.stream.clone())
            />
            <TagField value=said(|filter| filter.tag.clone()) known=tags />
            <label>
                "Region"
                <select name="region">
                    <option value="">"All"</option>
                    {region_options}
                </select>
            </label>
            <FilterField label="Recorded from" kind="date" name="from" value=said(|filter| Some(day_text(filter.from))) />
            <FilterField label="to" kind="date" name="to" value=said(|filter| Some(last_day_text(filter.to))) />
            <button class="button">{Icon::Search.draw()} "Show"</button>
            <ClearFilters
                is_filtered=Signal::derive(move || filter.with(is_narrowed))
                url=Signal::derive(move || library_url(&LibraryFilter { shelf: filter.get().shelf, ..Default::default() }))
            />
        </FilterForm>
    }
}

#[component]
fn AboutTheBin() -> impl IntoView {
    view! {
        <p class="muted about-shelf">
            <b>"Restore"</b>
            " brings a recording back to the same URL, until the time beside its state. Where a region runs out of room, the oldest goes earlier."
        </p>
    }
}

/// Where there are more, and how many at a time. Pages have no numbers: rows come and go while one reads.
#[component]
fn Foot(filter: Memo<LibraryFilter>, page: Signal<backend::LibraryPage>) -> impl IntoView {
    let next = Memo::new(move |_| page.with(|page| page.next.clone()));
    let newest = move || {
        let LibraryFilter { cursor, .. } = filter.get();
        cursor.map(|_| {
            view! {
                <a class="button quiet" href=library_url(&LibraryFilter { cursor: None, ..filter.get() })>
                    {Icon::Previous.draw()}
                    "Newest"
                </a>
            }
        })
    };
    let older = move || {
        next.get().map(|cursor| {
            view! {
                <a class="button quiet" rel="next" href=library_url(&LibraryFilter { cursor: Some(cursor), ..filter.get() })>
                    {Icon::Next.draw()}
                    "Older"
                </a>
            }
        })
    };
    let is_long = Signal::derive(move || {
        let smallest = LIBRARY_PAGE_SIZES[0] as usize;
        next.with(Option::is_some)
            || filter.with(|filter| filter.cursor.is_some())
            || page.with(|page| page.rows.len() > smallest)
    });
    view! {
        <div class="list-foot">
            <nav class="pager" aria-label="Pages">
                {newest} {older}
            </nav>
            <PageSizes
                is_long
                sizes=&LIBRARY_PAGE_SIZES
                chosen=Signal::derive(move || filter.with(|filter| filter.page_size))
                of="Recordings"
                url=move |page_size| library_url(&LibraryFilter { page_size, cursor: None, ..filter.get() })
            />
        </div>
    }
}

#[component]
fn NoRecordings(filter: Memo<LibraryFilter>) -> impl IntoView {
    let text = move || {
        let LibraryFilter { shelf, cursor, .. } = filter.get();
        if filter.with(is_narrowed) || cursor.is_some() {
            return view! { <p>"No recording matches. " <a href="/vod">"Show all recordings"</a></p> }.into_any();
        }
        match shelf {
            None => view! {
                <p>
                    "There are no recordings yet. Send to a stream's URL that ends in "<code>"/rec"</code>
                    ", and the recording is here the moment the encoder stops."
                </p>
                <p class="actions">
                    <a class="button primary" href="/stream">
                        "Choose a stream"
                    </a>
                </p>
            }
            .into_any(),
            Some(Shelf::Recording) => view! { <p>"Nothing is being recorded right now. " <a href="/vod">"Show all recordings"</a></p> }.into_any(),
            Some(Shelf::Bin) => view! { <p>"Nothing is in the bin."</p> }.into_any(),
            Some(Shelf::Held) => view! {
                <p>"Nothing is on legal hold. A recording's page has the button for it: then neither people nor the retention delete it."</p>
            }
            .into_any(),
            Some(Shelf::Failed) => view! { <p>"No recording has failed. " <a href="/vod">"Show all recordings"</a></p> }.into_any(),
            Some(shelf) => view! { <p>{format!("No recording is {shelf}. ")} <a href="/vod">"Show all recordings"</a></p> }.into_any(),
        }
    };
    view! { <div class="empty">{text}</div> }
}
