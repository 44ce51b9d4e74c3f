//! No NUL comes into the dashboard: PostgreSQL's text cannot have one, and would make it a failure of ours.

use serde_json::Value;

use super::*;

/// The question with a NUL in place of each of its texts in turn, and of what may be one.
fn questions(question: &Value) -> Vec<Value> {
    let nul = || Value::String("a\0".to_owned());
    match question {
        Value::String(_) | Value::Null => vec![nul()],
        Value::Object(fields) => {
            let with = |(name, value): (&String, &Value)| {
                let put = |value| {
                    let mut question = question.clone();
                    question[name] = value;
                    question
                };
                questions(value).into_iter().map(put).collect::<Vec<_>>()
            };
            fields.iter().flat_map(with).collect()
        }
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn no_function_and_no_page_is_asked_with_a_nul_in_a_text() {
    on_each_server(async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        let (_, mut browser) = somebody(&server, &tenant, Role::Admin).await;
        let stream = a_stream(&server, &tenant, &[]).await.to_string();
        let mut tried = BTreeSet::new();
        for (function, _, sends) in FUNCTIONS {
            match sends {
                Question(question) => {
                    for question in questions(&serde_json::from_str(question).unwrap()) {
                        let answer = browser.load(function, &question.to_string()).await;
                        assert_eq!(answer.status.as_u16(), 400, "{function} {question}: {}", answer.text);
                        tried.insert(*function);
                    }
                }
                Form(fields) => {
                    for at in 0..fields.len() {
                        let mut fields: Vec<(&str, &str)> = fields
                            .iter()
                            .map(|(name, value)| (*name, if *value == "STREAM" { &stream } else { *value }))
                            .collect();
                        fields[at].1 = "a\0";
                        let answer = browser.post(&format!("/ui/{function}"), &fields).await;
                        assert_eq!(answer.status.as_u16(), 400, "{function} {fields:?}: {}", answer.text);
                        tried.insert(*function);
                    }
                }
            }
        }
        assert!(
            ["end_session", "end_session_token", "audit", "take_system_role"].iter().all(|one| tried.contains(one)),
            "{tried:?}"
        );
        for page in
            ["/organisation/audit?who=%00", "/vod?q=a%00", "/stream?q=%00", "/?notice=%00", "/invitation/%00", "/password/a%00"]
        {
            assert_eq!(browser.open(page).await.status.as_u16(), 400, "{page}");
        }
        // The pages' router decodes a query twice; what is escaped once more is text.
        assert_eq!(browser.open("/organisation/audit?who=%2500").await.status.as_u16(), 400);
        assert_eq!(browser.open("/organisation/audit?who=%252500").await.status.as_u16(), 200);
    })
    .await;
}
