//! One call as HTML: who may make it, what it takes, how to make it from a shell, what it answers.

use serde_json::{Map, Value};
use url::form_urlencoded;

use super::kind::kind;
use super::markup::{code_block, escaped, prose, table};
use crate::http::api::doc::LINES;

pub(super) struct Call<'a> {
    pub(super) document: &'a Value,
    /// In lower case.
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) operation: &'a Value,
}

impl Call<'_> {
    pub(super) fn id(&self) -> &str {
        self.operation["operationId"].as_str().unwrap_or_default()
    }

    pub(super) fn name(&self) -> String {
        format!("<span class=\"verb\">{}</span> <code>{}</code>", self.method.to_uppercase(), escaped(self.path))
    }

    fn plain_name(&self) -> String {
        format!("{} {}", self.method.to_uppercase(), self.path)
    }

    pub(super) fn html(&self, base_url: &str) -> String {
        let text = |name: &str| prose(self.operation[name].as_str().unwrap_or_default());
        let id = self.id();
        let mut html = format!(
            "<article class=\"card call\" aria-labelledby=\"{id}\"><h3 id=\"{id}\"><a href=\"#{id}\">{}</a></h3><p><strong>{}{}</strong> {}</p><p class=\"muted\">{}</p>",
            self.name(),
            text("summary"),
            if text("summary").ends_with('?') { "" } else { "." },
            text("description"),
            self.who()
        );
        html += &self.parameters();
        html += &self.body();
        html += &code_block("Example", &format!("the example of {}", self.plain_name()), &self.curl(base_url));
        html += &self.answer();
        html += &self.errors();
        html + "</article>"
    }

    fn who(&self) -> String {
        let schemes: Vec<&Map<String, Value>> = self.security().filter_map(Value::as_object).collect();
        let least = self.operation["x-least-role"].as_str();
        match least {
            Some(role) => format!("For an API key or a session token with the role <code>{role}</code> or more."),
            None if schemes.is_empty() => "For everybody, without a credential.".to_owned(),
            None if schemes.iter().any(|scheme| scheme.is_empty()) => {
                "For an API key, a session token, a player key, and everybody who may watch.".to_owned()
            }
            None => "For an API key, a session token or a player key.".to_owned(),
        }
    }

    fn security(&self) -> impl Iterator<Item = &Value> {
        self.operation["security"].as_array().into_iter().flatten()
    }

    fn parameters(&self) -> String {
        let rows: Vec<[String; 3]> = self
            .parameters_in(&["path", "query", "header"])
            .map(|parameter| {
                let name = format!("<code>{}</code>", escaped(parameter["name"].as_str().unwrap_or_default()));
                let place = match parameter["in"].as_str() {
                    Some("query") => "",
                    Some("header") => " <span class=\"muted\">header</span>",
                    _ => " <span class=\"muted\">in the path</span>",
                };
                [
                    format!("{name}{place}"),
                    kind(&parameter["schema"]),
                    prose(parameter["description"].as_str().unwrap_or_default()),
                ]
            })
            .collect();
        if rows.is_empty() {
            return String::new();
        }
        format!(
            "<h4>Parameters</h4>{}",
            table(&format!("Parameters of {}", self.plain_name()), ["Name", "Value", "Meaning"], rows)
        )
    }

    fn parameters_in<'b>(&'b self, places: &'b [&str]) -> impl Iterator<Item = &'b Value> {
        let parameters = self.operation["parameters"].as_array().into_iter().flatten();
        parameters.filter(|parameter| parameter["in"].as_str().is_some_and(|place| places.contains(&place)))
    }

    fn body_content(&self) -> Option<&Value> {
        self.operation["requestBody"]["content"].get("application/json")
    }

    fn body(&self) -> String {
        let Some(content) = self.body_content() else { return String::new() };
        format!("<h4>Body, in JSON</h4>{}", fields(&format!("Body of {}", self.plain_name()), &content["schema"]))
    }

    /// What runs when it is copied, where the shell has the variables that it names.
    fn curl(&self, base_url: &str) -> String {
        let mut url = format!("{base_url}{}", self.path);
        for parameter in self.parameters_in(&["path"]) {
            let name = parameter["name"].as_str().unwrap_or_default();
            let variable = parameter["x-shell-variable"].as_str().unwrap_or("ID");
            url = url.replace(&format!("{{{name}}}"), &format!("${variable}"));
        }
        let pairs =
            self.parameters_in(&["query"]).filter_map(|parameter| Some((parameter["name"].as_str()?, parameter.get("example")?)));
        let pairs = pairs.flat_map(|(name, example)| {
            let values = example.as_array().cloned().unwrap_or_else(|| vec![example.clone()]);
            values.into_iter().map(move |value| {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                format!("{name}={}", form_urlencoded::byte_serialize(value.as_bytes()).collect::<String>())
            })
        });
        let query = pairs.collect::<Vec<_>>().join("&");
        if !query.is_empty() {
            url = format!("{url}?{query}");
        }
        // Without -g it would read more into brackets.
        let mut command = String::from(if url.contains('[') { "curl -g" } else { "curl" });
        if self.method != "get" {
            command += &format!(" -X {}", self.method.to_uppercase());
        }
        command += &format!(" \"{url}\"");
        if self.security().next().is_some() {
            command += " \\\n  -H \"X-BINTU-APIKEY: $KEY\"";
        }
        if let Some(content) = self.body_content() {
            command += " \\\n  -H \"Content-Type: application/json\"";
            command += &format!(" \\\n  -d '{}'", shell_body(content));
        }
        command
    }

    fn answer(&self) -> String {
        let response = &self.operation["responses"]["200"];
        let (schema, form) = match &response["content"][LINES]["schema"] {
            Value::Null => (&response["content"]["application/json"]["schema"], "In JSON"),
            schema => (schema, "In JSON, on each line"),
        };
        let mut html = format!(
            "<h4>Answer</h4><p>{} <span class=\"muted\">{form}: {}.</span></p>",
            prose(response["description"].as_str().unwrap_or_default()),
            kind(schema)
        );
        if response["headers"].get("Link").is_some() {
            html += "<p>The next page is in the header <code>Link</code>: see <a href=\"#paging\">Paging</a>.</p>";
        }
        if let Some(example) = self.example_of(schema) {
            let text = serde_json::to_string_pretty(&example).unwrap_or_default();
            let block = code_block("JSON", &format!("an answer to {}", self.plain_name()), &text);
            html += &format!("<details class=\"more\"><summary>An answer</summary>{block}</details>");
        }
        html
    }

    fn example_of(&self, schema: &Value) -> Option<Value> {
        if schema["type"] == "array" {
            return self.example_of(&schema["items"]).map(|example| vec![example].into());
        }
        let name = schema["$ref"].as_str()?.rsplit('/').next()?;
        self.document["components"]["schemas"][name]["examples"].get(0).cloned()
    }

    fn errors(&self) -> String {
        let responses = self.operation["responses"].as_object().into_iter().flatten();
        let errors = responses.filter(|(status, _)| status.starts_with(['4', '5']));
        let codes = errors.flat_map(|(status, response)| {
            let texts = response["description"].as_str().unwrap_or_default().split("; ");
            texts.map(move |text| format!("<a href=\"#errors\">{status}</a>/{}", escaped(&text.replacen(": ", " ", 1))))
        });
        format!("<p class=\"muted small\">Errors: {}.</p>", codes.collect::<Vec<_>>().join(", "))
    }
}

/// The example in one line for a text in single quotes, with variables in place of what is the reader's own.
fn shell_body(content: &Value) -> String {
    let mut example = content["example"].clone();
    let mut variables = Vec::new();
    for (name, value) in example.as_object_mut().into_iter().flatten() {
        if let Some(variable) = content["schema"]["properties"][name]["x-shell-variable"].as_str() {
            *value = format!("${variable}").into();
            variables.push(variable.to_owned());
        }
    }
    let text = example.to_string().replace('\'', "'\\''");
    variables.iter().fold(text, |text, variable| text.replace(&format!("\"${variable}\""), &format!("\"'\"${variable}\"'\"")))
}

/// The fields of an object in a table.
pub(super) fn fields(caption: &str, schema: &Value) -> String {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let rows = schema["properties"].as_object().into_iter().flatten().map(|(name, field)| {
        let optional = if required.contains(&name.as_str()) { "" } else { " <span class=\"muted\">optional</span>" };
        [
            format!("<code>{}</code>{optional}", escaped(name)),
            kind(field),
            prose(field["description"].as_str().unwrap_or_default()),
        ]
    });
    table(caption, ["Field", "Value", "Meaning"], rows)
}
