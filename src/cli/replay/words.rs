//! The past with words by a model: asked before each morning as the daemon would, held to the facts, and counted.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use jiff::civil::Date;

use super::super::output;
use super::super::site::Site;
use super::Rehearsal;
use crate::brief::replay::{Morning, mornings};
use crate::brief::words::{Asking, Tally as Said, fill};
use crate::brief::{briefing_with_words, deliver, render};
use crate::clock::Clock;
use crate::config::LlmConfig;
use crate::http::Http;
use crate::llm::fake::{self, Fake, Manner, Mind};
use crate::llm::{Llm, stack_options};
use crate::lock::InstanceLock;
use crate::model::{Briefing, MemberId};
use crate::store::words;

/// What came of it.
#[derive(Debug, Default)]
struct Tally {
    mornings: usize,
    on_time: usize,
    slowest: Duration,
    lines: usize,
    worded: usize,
    about: usize,
    kept_back: usize,
    nothing_said: usize,
    unverified: usize,
    checks: BTreeMap<String, usize>,
}

pub(super) fn replay(
    site: &Site,
    from: Date,
    to: Date,
    wanted: impl Fn(&MemberId) -> bool,
    rehearse: Option<Rehearsal>,
) -> Result<ExitCode> {
    let _lock = InstanceLock::take(&site.data_dir).context("cannot ask for words")?;
    let mornings = site
        .store
        .read_now(|c| mornings(c, &site.roster, from, to, wanted))?;
    let Some(first) = mornings.first() else {
        return Ok(ExitCode::SUCCESS);
    };
    let clock = Clock::simulated(first.window.upto.0);
    let llm = model_of(site, rehearse, &clock)?;
    let model = llm.config().model.clone();
    let since = first.window.after.0;
    let before = site
        .store
        .read_now(|c| words::sum_since(c, &model, since))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut tally = Tally::default();
    for morning in &mornings {
        clock.move_to(morning.window.upto.0);
        let briefing = runtime.block_on(written(site, &llm, morning, &mut tally))?;
        count(site, morning, &briefing, &mut tally)?;
        output::json_line(&render::to_json(&briefing))?;
    }
    let after = site
        .store
        .read_now(|c| words::sum_since(c, &model, since))?;
    let answers = site
        .store
        .read_now(|c| words::answers_since(c, &model, since))?;
    let mut said = Said::default();
    for (_, body) in &answers {
        let (one, _) = Said::beside(body);
        said.written += one.written;
        said.passed += one.passed;
        for (check, count) in one.refused {
            *said.refused.entry(check).or_default() += count;
        }
    }
    if rehearse.is_some() {
        site.store.write_now(|c| words::forget_model(c, &model))?;
    }
    let calls = after.done + after.failed - before.done - before.failed;
    let input = after.input_tokens - before.input_tokens;
    let written = after.output_tokens - before.output_tokens;
    let each = |count: u64| count as f64 / tally.mornings.max(1) as f64;
    eprintln!(
        "model             {model}, asked for JSON by {}",
        llm.rung().name()
    );
    eprintln!(
        "mornings          {}, {} on time; the slowest waited {:.1} s",
        tally.mornings,
        tally.on_time,
        tally.slowest.as_secs_f64()
    );
    eprintln!(
        "lines             {}: {} in a model's words ({} marked ≈), {} quotes because words failed, {} because it had nothing to say, {} never asked about",
        tally.lines,
        tally.worded,
        tally.about,
        tally.kept_back,
        tally.nothing_said,
        tally.lines - tally.worded - tally.kept_back - tally.nothing_said
    );
    eprintln!("unverified lines  {}", tally.unverified);
    let counted = |checks: &BTreeMap<String, usize>| {
        let checks = checks
            .iter()
            .map(|(check, count)| format!("{check} {count}"));
        checks.collect::<Vec<_>>().join(", ")
    };
    eprintln!("kept back by      {}", counted(&tally.checks));
    eprintln!(
        "model's sentences {}: {} passed; refused by {}",
        said.written,
        said.passed,
        counted(&said.refused)
    );
    eprintln!(
        "calls             {calls} ({} without an answer), {:.1} a morning",
        after.failed - before.failed,
        each(calls)
    );
    eprintln!(
        "tokens a morning  {:.0} read, {:.0} written",
        each(input),
        each(written)
    );
    Ok(ExitCode::SUCCESS)
}

fn model_of(site: &Site, rehearse: Option<Rehearsal>, clock: &Clock) -> Result<Llm> {
    let Some(rehearse) = rehearse else {
        let config = site
            .config
            .llm
            .as_ref()
            .context("there is no [llm] table; --rehearse tries without one")?;
        let http = Http::new(stack_options(config), clock.clone());
        return Llm::over(http, config, &site.config.base, clock.clone());
    };
    let mind = match rehearse {
        Rehearsal::Faithful => Mind::Faithful,
        Rehearsal::Liar => Mind::Liar,
        Rehearsal::Obedient => Mind::Obedient,
    };
    let config = LlmConfig {
        base_url: "http://rehearsal.invalid/v1".into(),
        model: fake::MODEL.into(),
        api_key_env: None,
        api_key_file: None,
        azure_deployment: None,
        ..site.config.llm.clone().unwrap_or_default()
    };
    let http = Fake::new(Manner::Well, mind).http(stack_options(&config), clock.clone());
    Llm::over(http, &config, &site.config.base, clock.clone())
}

/// Makes one morning's briefing as the daemon would: what is missing is asked for within the lead, then translations.
async fn written(
    site: &Site,
    llm: &Llm,
    morning: &Morning<'_>,
    tally: &mut Tally,
) -> Result<Briefing> {
    let lead = Duration::from_secs(60 * u64::from(llm.config().lead_minutes.max(3) - 2));
    let begun = Instant::now();
    let style = site.style();
    let make = || {
        site.store.read_now(|c| {
            briefing_with_words(
                c,
                morning.member,
                &site.roster,
                morning.window,
                morning.previous_upto,
                &style,
                Vec::new(),
                Some(llm),
            )
        })
    };
    let (mut briefing, mut missing) = make()?;
    for _ in 0..2 {
        if missing.is_empty() {
            break;
        }
        let asking = Asking {
            store: &site.store,
            llm,
            member: &morning.member.id,
            within: lead.saturating_sub(begun.elapsed()),
        };
        fill(&asking, missing).await?;
        (briefing, missing) = make()?;
    }
    let took = begun.elapsed();
    tally.mornings += 1;
    tally.on_time += usize::from(took <= lead + Duration::from_secs(1));
    tally.slowest = tally.slowest.max(took);
    Ok(briefing)
}

fn count(site: &Site, morning: &Morning<'_>, briefing: &Briefing, tally: &mut Tally) -> Result<()> {
    let standing = site.store.read_now(|c| {
        deliver::still_standing(c, morning.member, briefing.clone(), morning.previous_upto)
    })?;
    tally.unverified += briefing
        .items
        .iter()
        .filter(|item| !standing.items.contains(item))
        .count();
    for item in &briefing.items {
        tally.lines += 1;
        let Some(wording) = &item.wording else {
            continue;
        };
        tally.worded += usize::from(wording.is_shown);
        tally.about += usize::from(item.summary.starts_with('≈'));
        if !wording.is_shown {
            tally.kept_back += usize::from(!wording.failed.is_empty());
            tally.nothing_said += usize::from(wording.failed.is_empty());
        }
        for check in &wording.failed {
            *tally.checks.entry(check.clone()).or_default() += 1;
        }
    }
    Ok(())
}
