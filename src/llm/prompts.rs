//! The prompts: one file each in `prompts/`, compiled in, replaceable by a folder; checked when they are loaded.
//!
//! A file begins with its front matter (what it is for, its inputs, the class of model it was written for, its budget of
//! tokens, the form of its answer), then comes what the system says, then `=== user` and what the user says. Templates
//! are strict: an input that is missing or unknown is an error when the file is loaded and not in somebody's morning.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use include_dir::{Dir, include_dir};
use minijinja::{Environment, UndefinedBehavior};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Question;

static FILES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/prompts");

/// The line between what the system says and what the user says.
const USER: &str = "=== user";

/// Every prompt by name.
#[derive(Clone, Debug)]
pub struct Prompts(BTreeMap<String, Prompt>);

/// One prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// Its name: the file's, without `.md`.
    pub name: String,
    /// What it is for.
    pub purpose: String,
    /// What is filled in.
    pub inputs: Vec<String>,
    /// What kind of model it was written for.
    pub model_class: String,
    /// The most tokens of a whole question.
    pub token_budget: usize,
    /// The form of the answer: its name and JSON schema.
    pub schema: (String, Value),
    /// What the system says; empty for a further turn.
    pub system: String,
    /// What the user says.
    pub user: String,
    /// A hash of the file and the form; answers remember it.
    pub hash: String,
    /// Whether the file came from a folder of the team's own.
    pub is_replaced: bool,
}

impl Prompts {
    /// Returns the built-in prompts.
    ///
    /// # Errors
    /// Never, as a test shows.
    pub fn built_in() -> Result<Prompts> {
        let mut prompts = BTreeMap::new();
        for file in FILES.files() {
            let Some(name) = file
                .path()
                .to_str()
                .and_then(|path| path.strip_suffix(".md"))
            else {
                continue;
            };
            let text = file.contents_utf8().context("a prompt is text")?;
            let prompt =
                Prompt::read(name, text, false).with_context(|| format!("in the prompt {name}"))?;
            prompts.insert(name.to_owned(), prompt);
        }
        Ok(Prompts(prompts))
    }

    /// Returns the built-in prompts, replaced by the files of a folder where it has them.
    ///
    /// # Errors
    /// When a file there is no prompt, has no built-in namesake or wants other inputs than its namesake gets.
    pub fn with_folder(folder: &Path) -> Result<Prompts> {
        let mut prompts = Prompts::built_in()?;
        let entries = std::fs::read_dir(folder)
            .with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            let Some(name) = path
                .file_name()
                .and_then(|name| name.to_str())
                .and_then(|name| name.strip_suffix(".md"))
                .filter(|name| *name != "README")
            else {
                continue;
            };
            let known: Vec<&str> = prompts.0.keys().map(String::as_str).collect();
            let Some(built_in) = prompts.0.get(name) else {
                bail!(
                    "{}: there is no prompt of this name; known: {}",
                    path.display(),
                    known.join(", ")
                );
            };
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let prompt =
                Prompt::read(name, &text, true).with_context(|| path.display().to_string())?;
            ensure!(
                prompt.schema.0 == built_in.schema.0,
                "{}: schema must stay {}",
                path.display(),
                built_in.schema.0
            );
            for input in &prompt.inputs {
                ensure!(
                    built_in.inputs.contains(input),
                    "{}: the input {input} is not given; known: {}",
                    path.display(),
                    built_in.inputs.join(", ")
                );
            }
            prompts.0.insert(name.to_owned(), prompt);
        }
        Ok(prompts)
    }

    /// Returns every prompt, by name.
    pub fn all(&self) -> impl Iterator<Item = &Prompt> {
        self.0.values()
    }

    /// Returns a prompt by name.
    pub fn find(&self, name: &str) -> Option<&Prompt> {
        self.0.get(name)
    }

    /// Returns a prompt that is part of the program.
    ///
    /// # Panics
    /// When there is none of that name; a test asks for all that the program uses.
    pub fn get(&self, name: &str) -> &Prompt {
        self.find(name)
            .unwrap_or_else(|| panic!("there is no prompt {name}"))
    }
}

impl Prompt {
    /// Reads a prompt from its file.
    ///
    /// # Errors
    /// When the front matter lacks a field, or the templates use another set of inputs than it names.
    pub fn read(name: &str, text: &str, is_replaced: bool) -> Result<Prompt> {
        let rest = text
            .strip_prefix("---\n")
            .context("it does not begin with --- and its front matter")?;
        let (front, body) = rest
            .split_once("\n---\n")
            .context("the front matter does not end with ---")?;
        let mut fields: BTreeMap<&str, &str> = BTreeMap::new();
        for line in front.lines().filter(|line| !line.trim().is_empty()) {
            let (key, value) = line
                .split_once(':')
                .with_context(|| format!("{line:?} is no `key: value`"))?;
            fields.insert(key.trim(), value.trim());
        }
        let mut field = |key: &str| {
            fields
                .remove(key)
                .filter(|value| !value.is_empty())
                .with_context(|| format!("the front matter lacks {key}"))
        };
        let purpose = field("purpose")?.to_owned();
        let inputs: Vec<String> = field("inputs")?
            .split(',')
            .map(|input| input.trim().to_owned())
            .collect();
        let model_class = field("model_class")?.to_owned();
        let token_budget = field("token_budget")?
            .parse()
            .context("token_budget is no number")?;
        let schema_name = field("schema")?.to_owned();
        if let Some(unknown) = fields.keys().next() {
            bail!("the front matter has an unknown field {unknown}");
        }
        let schema = schema_of(&schema_name)?;
        let (system, user) = if let Some(user) = body.strip_prefix(&format!("{USER}\n")) {
            ("", user)
        } else {
            body.split_once(&format!("\n{USER}\n"))
                .with_context(|| format!("there is no line {USER:?}"))?
        };
        let hash = Sha256::digest(format!("{text}\0{schema}").as_bytes());
        let prompt = Prompt {
            name: name.to_owned(),
            purpose,
            inputs,
            model_class,
            token_budget,
            schema: (schema_name, schema),
            system: system.trim().to_owned(),
            user: user.trim_end().to_owned(),
            hash: hash[..6].iter().map(|byte| format!("{byte:02x}")).collect(),
            is_replaced,
        };
        prompt.check_inputs()?;
        Ok(prompt)
    }

    fn check_inputs(&self) -> Result<()> {
        let environment = environment();
        let mut used = BTreeSet::new();
        for template in [&self.system, &self.user] {
            let template = environment
                .template_from_str(template)
                .context("the template cannot be read")?;
            used.extend(template.undeclared_variables(false));
        }
        let named: BTreeSet<String> = self.inputs.iter().cloned().collect();
        if let Some(unnamed) = used.difference(&named).next() {
            bail!("the template uses {unnamed}, which inputs does not name");
        }
        if let Some(unused) = named.difference(&used).next() {
            bail!("inputs names {unused}, which the template does not use");
        }
        Ok(())
    }

    /// Returns the question with its inputs filled in.
    ///
    /// # Errors
    /// When an input is missing.
    pub fn question(
        &self,
        inputs: &BTreeMap<&str, String>,
        max_output_tokens: usize,
    ) -> Result<Question> {
        let environment = environment();
        let fill = |template: &str| {
            environment
                .render_str(template, inputs)
                .with_context(|| format!("the prompt {} cannot be filled in", self.name))
        };
        let mut turns = Vec::with_capacity(2);
        if !self.system.is_empty() {
            turns.push(("system", fill(&self.system)?));
        }
        turns.push(("user", fill(&self.user)?));
        Ok(Question {
            purpose: self.name.clone(),
            turns,
            schema: self.schema.clone(),
            max_output_tokens,
        })
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // Inputs are JSON or words already; nothing is HTML.
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment
}

fn schema_of(name: &str) -> Result<Value> {
    let file = FILES
        .get_file(format!("{name}.schema.json"))
        .with_context(|| format!("there is no schema {name}"))?;
    serde_json::from_slice(file.contents()).context("the schema is no JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "---\npurpose: x\ninputs: source\nmodel_class: small\ntoken_budget: 10\nschema: line\n---\nSay.\n=== user\n{{ source }}\n";

    #[test]
    fn every_built_in_prompt_can_be_read() {
        let prompts = Prompts::built_in().unwrap();
        let names: Vec<&str> = prompts.all().map(|prompt| prompt.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "answer",
                "asks-and-decisions",
                "catch-up",
                "headline",
                "rationale",
                "repair",
                "thread-delta",
                "translation"
            ]
        );
        for prompt in prompts.all() {
            let fixed = crate::llm::tokens::estimate(&prompt.system)
                + crate::llm::tokens::estimate(&prompt.user);
            assert!(fixed < prompt.token_budget, "{}: {fixed}", prompt.name);
        }
    }

    #[test]
    fn a_broken_prompt_says_what_is_wrong() {
        assert!(Prompt::read("x", GOOD, false).is_ok());
        for (from, to, expected) in [
            ("{{ source }}", "{{ sauce }}", "uses sauce"),
            ("inputs: source", "inputs: source, more", "names more"),
            ("schema: line", "schema: poem", "no schema poem"),
            ("purpose: x\n", "", "lacks purpose"),
            ("=== user\n", "", "no line"),
            ("token_budget: 10", "token_budget: ten", "no number"),
            ("---\npurpose", "purpose", "begin with ---"),
            ("purpose: x", "purpose: x\nmood: good", "unknown field mood"),
            ("{{ source }}", "{{ source", "cannot be read"),
        ] {
            let error = Prompt::read("x", &GOOD.replace(from, to), false).unwrap_err();
            assert!(format!("{error:#}").contains(expected), "{error:#}");
        }
    }

    #[test]
    fn a_folder_replaces_prompts_of_the_same_name_only() {
        let dir = tempfile::tempdir().unwrap();
        let own = GOOD.replace("{{ source }}", "{{ source }} Briefly.");
        std::fs::write(dir.path().join("headline.md"), &own).unwrap();
        std::fs::write(dir.path().join("README.md"), "notes").unwrap();
        let prompts = Prompts::with_folder(dir.path()).unwrap();
        assert!(prompts.get("headline").is_replaced);
        assert!(!prompts.get("thread-delta").is_replaced);
        let built_in = Prompts::built_in().unwrap();
        assert_ne!(prompts.get("headline").hash, built_in.get("headline").hash);

        std::fs::write(dir.path().join("poem.md"), &own).unwrap();
        let error = Prompts::with_folder(dir.path()).unwrap_err();
        assert!(format!("{error:#}").contains("known: answer, asks-and-decisions"));
    }

    #[test]
    fn an_input_that_is_missing_is_an_error() {
        let prompt = Prompt::read("x", GOOD, false).unwrap();
        assert!(prompt.question(&BTreeMap::new(), 10).is_err());
        let source = "{\"a\": \"<b> {{ c }} {% d %}\"}".to_owned();
        let question = prompt
            .question(&BTreeMap::from([("source", source.clone())]), 10)
            .unwrap();
        assert_eq!(question.turns[1].1, source, "an input is no template");
    }
}
