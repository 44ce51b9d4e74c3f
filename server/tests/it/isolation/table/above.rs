//! Every page and server function above the organisations.

use afterlive_domain::Role::Admin;

use super::Thing::{Colleague, Organisation, Suspended, SystemAdministrator};
use super::{Door, Row};

pub fn rows() -> Vec<Row> {
    let page = |route| Row::new(route, Door::Page(Admin)).above();
    let question = |route| Row::new(route, Door::Question(Admin)).above();
    let form = |route| Row::new(route, Door::Form(Admin)).above();
    vec![
        page("PAGE /system"),
        page("PAGE /system/organisation/{id}").of(Organisation),
        question("POST /ui/system").body(r#"{"page":1}"#),
        question("POST /ui/tenant").of(Organisation).body(r#"{"organisation":"<organisation>"}"#),
        question("POST /ui/system_mail_fate").body(r#"{"secret":"x"}"#),
        form("POST /ui/create_organisation").body("name=New&email=first<n>@example.com").changes(),
        form("POST /ui/rename_organisation").of(Organisation).body("organisation=<organisation>&name=Renamed+<n>").changes(),
        form("POST /ui/suspend_organisation").of(Organisation).body("organisation=<organisation>").changes(),
        form("POST /ui/resume_organisation").of(Suspended).body("organisation=<suspended>").changes(),
        form("POST /ui/invite_administrator")
            .of(Organisation)
            .body("organisation=<organisation>&email=second<n>@example.com")
            .changes(),
        form("POST /ui/give_system_role").of(Colleague).body("email=<colleague-email>").changes(),
        form("POST /ui/take_system_role").of(SystemAdministrator).body("user=<system-administrator>").changes(),
    ]
}
