//! The figures: one table for who looks, JSON for who compares.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Value, json};

/// Which side of the target is well.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
}

impl Target {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtMost(limit) => format!("≤ {limit}"),
            Self::AtLeast(limit) => format!("≥ {limit}"),
        }
    }
}

/// One line: ours, and what it is compared with where there is a peer.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    pub(crate) ours: f64,
    pub(crate) theirs: Option<f64>,
    /// What has a target: the ratio where there is a peer, else our figure.
    pub(crate) target: Option<Target>,
}

impl Row {
    fn ratio(&self) -> Option<f64> {
        self.theirs.map(|theirs| self.ours / theirs)
    }

    fn judged(&self) -> f64 {
        self.ratio().unwrap_or(self.ours)
    }
}

pub(crate) struct Report {
    folder: PathBuf,
    rows: Vec<Row>,
}

impl Report {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, rows: Vec::new() }
    }

    pub(crate) fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Prints all of it, and writes `bench.json`.
    pub(crate) fn finish(&self) -> Result<()> {
        let figure = |value: f64| match value.abs() {
            0.0 => "0".to_owned(),
            ..1.0 => format!("{value:.3}"),
            ..100.0 => format!("{value:.2}"),
            _ => format!("{value:.0}"),
        };
        let optional = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), figure);
        let head = ["", "ours", "peer", "unit", "ratio", "target", ""].map(str::to_owned);
        let lines = self.rows.iter().map(|row| {
            let verdict = row.target.map_or("", |target| if target.is_met(row.judged()) { "met" } else { "MISSED" });
            let target = row.target.map_or_else(String::new, Target::text);
            let (ours, theirs, ratio) = (figure(row.ours), optional(row.theirs), optional(row.ratio()));
            [row.name.clone(), ours, theirs, row.unit.to_owned(), ratio, target, verdict.to_owned()]
        });
        let lines: Vec<[String; 7]> = std::iter::once(head).chain(lines).collect();
        let widths: Vec<usize> = (0..7).map(|at| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0)).collect();
        for line in &lines {
            let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
        let rows: Vec<Value> = self.rows.iter().map(json_of).collect();
        std::fs::create_dir_all(&self.folder)?;
        std::fs::write(self.folder.join("bench.json"), serde_json::to_string_pretty(&rows)?)?;
        Ok(())
    }
}

fn json_of(row: &Row) -> Value {
    let met = row.target.map(|target| target.is_met(row.judged()));
    let target = row.target.map(Target::text);
    json!({"name": row.name, "unit": row.unit, "ours": row.ours, "peer": row.theirs, "ratio": row.ratio(), "target": target, "met": met})
}
