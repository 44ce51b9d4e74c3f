//! The proof of isolation: one table over every route and every server function, each asked by everybody who might ask, with the answer that is expected. A route
//! without a row fails the test, and so does a row without a route. Who is refused has changed nothing in the database, nor has another site's page
//! by the browser of who is let in; who is let in has, and the audit log has a line of it; no answer has anything of another organisation or of how
//! the server is made, and none of another organisation's things differs from what there never was.

mod cells;
mod columns;
mod contents;
mod doors;
mod routes;
mod table;
mod things;
mod world;

use std::collections::BTreeSet;

use self::world::World;
use crate::fixture::server::on_each_server;

#[tokio::test]
async fn each_route_answers_everybody_as_its_row_says_and_each_has_a_row() {
    on_each_server(async |server| {
        // In places of their own: together they are more than a thread's stack holds where the compiler does not make them small.
        let mut world = Box::pin(World::new(server)).await;
        let rows = table::rows();
        let (routes, known) =
            (Box::pin(routes::all(&world.server)).await, rows.iter().map(|row| row.route.to_owned()).collect::<BTreeSet<_>>());
        let without_row: Vec<&String> = routes.difference(&known).collect();
        let without_route: Vec<&String> = known.difference(&routes).collect();
        assert!(
            without_row.is_empty() && without_route.is_empty(),
            "routes without a row: {without_row:#?}, rows without a route: {without_route:#?}"
        );
        let mut wrong = Vec::new();
        for row in &rows {
            wrong.extend(Box::pin(cells::try_row(&mut world, row)).await);
        }
        assert!(wrong.is_empty(), "{} of the table's cells are wrong:\n{}", wrong.len(), wrong.join("\n\n"));
    })
    .await;
}

/// Any link, and any picture on any page, has a browser ask for such a thing. That they do as their rows say is shown above.
#[test]
fn no_route_that_is_only_asked_for_is_there_to_change_anything() {
    let rows = table::rows();
    let changes = rows.iter().filter(|row| row.method() == "GET" && row.effect != table::Effect::Reads);
    assert_eq!(changes.map(|row| row.route).collect::<Vec<_>>(), [""; 0]);
}
