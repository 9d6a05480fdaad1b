//! What calls cost, and whether another one may be made.

use crate::config::LlmConfig;

/// What a million tokens cost, in millionths of the currency a token.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Price {
    /// For tokens that are read.
    pub input: f64,
    /// For tokens that are written.
    pub output: f64,
}

/// What was spent on a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Tokens, read and written.
    pub tokens: u64,
    /// Money, in millionths.
    pub micros: u64,
}

impl Price {
    /// Returns the price of the configuration.
    pub fn of(config: &LlmConfig) -> Price {
        Price {
            input: config.price_in,
            output: config.price_out,
        }
    }

    /// Returns what a call costs, in millionths of the currency.
    pub fn micros(&self, input_tokens: u64, output_tokens: u64) -> u64 {
        (self.input * input_tokens as f64 + self.output * output_tokens as f64).ceil() as u64
    }
}

/// Returns which limit a call of this size would break.
pub fn limit_broken(
    config: &LlmConfig,
    all: Spent,
    member: Spent,
    more: Spent,
) -> Option<&'static str> {
    let over = |limit: u64, spent: u64, more: u64| limit > 0 && spent.saturating_add(more) > limit;
    let micros = |amount: f64| (amount * 1e6) as u64;
    if over(config.tokens_per_day, all.tokens, more.tokens) {
        Some("tokens_per_day")
    } else if over(config.tokens_per_member, member.tokens, more.tokens) {
        Some("tokens_per_member")
    } else if over(micros(config.spend_per_day), all.micros, more.micros) {
        Some("spend_per_day")
    } else if over(micros(config.spend_per_member), member.micros, more.micros) {
        Some("spend_per_member")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_stops_the_call_that_would_break_it() {
        let config = LlmConfig {
            tokens_per_day: 1000,
            tokens_per_member: 300,
            price_in: 2.0,
            price_out: 10.0,
            spend_per_day: 0.003,
            spend_per_member: 0.001,
            ..LlmConfig::default()
        };
        let price = Price::of(&config);
        assert_eq!(price.micros(100, 10), 300);
        let call = |input, output| Spent {
            tokens: input + output,
            micros: price.micros(input, output),
        };
        let spent = |tokens, micros| Spent { tokens, micros };
        let none = Spent::default();
        let broken = |all, member, more| limit_broken(&config, all, member, more);
        assert_eq!(broken(none, none, call(100, 10)), None);
        assert_eq!(
            broken(spent(900, 0), none, call(100, 10)),
            Some("tokens_per_day")
        );
        assert_eq!(
            broken(spent(300, 0), spent(200, 0), call(100, 10)),
            Some("tokens_per_member")
        );
        assert_eq!(
            broken(spent(0, 2800), none, call(100, 10)),
            Some("spend_per_day")
        );
        assert_eq!(
            broken(spent(0, 800), spent(0, 800), call(100, 10)),
            Some("spend_per_member")
        );
        let open = LlmConfig {
            tokens_per_day: 0,
            tokens_per_member: 0,
            ..LlmConfig::default()
        };
        let much = spent(u64::MAX, u64::MAX);
        assert_eq!(limit_broken(&open, much, much, call(1, 1)), None);
    }
}
