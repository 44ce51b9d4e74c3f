//! A JSON Schema in words: what kind of value, and within which limits.

use serde_json::Value;

use super::markup::escaped;

/// As HTML, with links to the types that have a name.
pub(super) fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return format!("<a href=\"#type-{0}\">{0}</a>", escaped(name));
    }
    if let Some(value) = schema.get("const") {
        return code(value);
    }
    if let Some(values) = schema["enum"].as_array() {
        return with_default(values.iter().map(code).collect::<Vec<_>>().join(", "), schema);
    }
    for several in ["anyOf", "oneOf"] {
        if let Some(schemas) = schema[several].as_array() {
            let mut kinds: Vec<String> = Vec::new();
            for one in schemas {
                let kind = kind(&over(schema, one));
                if !kinds.contains(&kind) {
                    kinds.push(kind);
                }
            }
            return with_default(kinds.join(" or "), schema);
        }
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => return "anything".to_owned(),
    };
    let words: Vec<String> = kinds.iter().map(|kind| of_type(kind, schema)).collect();
    with_default(words.join(" or "), schema)
}

/// One of several in the place of all: it has what stands beside them, where it says nothing else.
fn over(all: &Value, one: &Value) -> Value {
    let mut one = one.clone();
    let says_what_it_is = ["$ref", "const", "type"].into_iter().any(|name| one.get(name).is_some());
    if let (Some(kind), false) = (all.get("type"), says_what_it_is) {
        one["type"] = kind.clone();
    }
    one
}

fn of_type(kind: &str, schema: &Value) -> String {
    let number = |name: &str| schema[name].as_u64();
    match kind {
        "string" => {
            let mut words = match schema["format"].as_str() {
                Some("uuid") => "UUID".to_owned(),
                Some("date-time") => "RFC 3339 time".to_owned(),
                Some("date") => "date".to_owned(),
                Some("ipv4") => "IPv4 address".to_owned(),
                Some("ipv6") => "IPv6 address".to_owned(),
                _ => "text".to_owned(),
            };
            match (number("minLength"), number("maxLength")) {
                (Some(least), Some(most)) => words += &format!(", {least} to {most} characters"),
                (None, Some(most)) => words += &format!(", at most {most} characters"),
                _ => {}
            }
            if let Some(pattern) = schema["pattern"].as_str() {
                words += &format!(", <code>{}</code>", escaped(pattern));
            }
            words
        }
        "array" => {
            let count = match (number("minItems"), number("maxItems")) {
                (_, Some(0)) => return "empty array".to_owned(),
                (Some(least), Some(most)) if least == most => format!(" of {most}"),
                (_, Some(most)) => format!(" of at most {most}"),
                _ => String::new(),
            };
            match schema.get("items").map(kind_of_items) {
                Some(items) if count.is_empty() => format!("array of {items}"),
                Some(items) => format!("array{count}, each {items}"),
                None => format!("array{count}"),
            }
        }
        "integer" | "number" => {
            let word = if kind == "integer" { "whole number" } else { "number" };
            match (number("minimum"), number("maximum")) {
                (Some(least), Some(most)) => format!("{word}, {least} to {most}"),
                (Some(least), None) if least > 0 => format!("{word}, {least} or more"),
                (None, Some(most)) => format!("{word}, {most} or less"),
                _ => word.to_owned(),
            }
        }
        "boolean" => "true or false".to_owned(),
        other => other.to_owned(),
    }
}

fn kind_of_items(items: &Value) -> String {
    let words = kind(items);
    // An enumeration is no noun.
    if items.get("enum").is_some() { format!("({words})") } else { words }
}

fn with_default(words: String, schema: &Value) -> String {
    match schema.get("default") {
        Some(default) => format!("{words}; {} where it is left out", code(default)),
        None => words,
    }
}

fn code(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    format!("<code>{}</code>", escaped(&text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn limits_stand_beside_the_kind() {
        for (schema, words) in [
            (json!({ "$ref": "#/components/schemas/Stream" }), "<a href=\"#type-Stream\">Stream</a>"),
            (json!({ "type": "string", "maxLength": 9 }), "text, at most 9 characters"),
            (json!({ "type": ["string", "null"], "format": "date-time" }), "RFC 3339 time or null"),
            (json!({ "type": "array", "items": { "type": "string" }, "maxItems": 5 }), "array of at most 5, each text"),
            (json!({ "type": "integer", "minimum": 0, "default": 50 }), "whole number; <code>50</code> where it is left out"),
            (
                json!({ "anyOf": [{ "const": 0 }, { "type": "integer", "minimum": 10 }] }),
                "<code>0</code> or whole number, 10 or more",
            ),
            (json!({ "type": "string", "anyOf": [{ "format": "date-time" }, { "format": "date" }] }), "RFC 3339 time or date"),
            (json!({ "enum": ["a", "b"] }), "<code>a</code>, <code>b</code>"),
        ] {
            assert_eq!(kind(&schema), words);
        }
    }
}
