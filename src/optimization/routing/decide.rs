//! What a classifier says, and which model gets the question.

use std::fmt;

use serde::Deserialize;

/// The work that a good answer takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Complexity {
    /// One fact or one step.
    Simple,
    /// Several steps, or a short explanation.
    Moderate,
    /// Weighing, design, proof or long synthesis.
    Complex,
}

impl Complexity {
    /// All, from the least work to the most.
    pub const ALL: [Self; 3] = [Self::Simple, Self::Moderate, Self::Complex];

    /// Its name in a classifier's answer, in any case.
    fn read(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| name.trim().eq_ignore_ascii_case(&known.to_string()))
    }
}

impl fmt::Display for Complexity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Simple => "simple",
            Self::Moderate => "moderate",
            Self::Complex => "complex",
        })
    }
}

/// What a classifier says of a question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Classification {
    /// The class.
    pub complexity: Complexity,
    /// How sure it is, in 0..=1.
    pub confidence: f64,
}

/// The model that gets a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// The small one.
    Small,
    /// The large one.
    Large,
}

/// How sure a classifier must be, at least and not just, for moderate work to go to the small model.
pub const CONFIDENT: f64 = 0.8;

/// A classifier's answer, as it asks for it.
#[derive(Deserialize)]
struct Said {
    complexity: String,
    confidence: Option<f64>,
}

impl Classification {
    /// What cannot be read is taken for complex work: to be wrong then costs money, and no answer.
    pub const UNREADABLE: Self = Self { complexity: Complexity::Complex, confidence: 0.5 };
    /// The confidence of a classifier that states none.
    pub const UNSTATED: f64 = 0.8;

    /// Reads a classifier's answer: a JSON object, whatever stands around it.
    pub fn read(answer: &str) -> Self {
        Self::of_json(answer).unwrap_or(Self::UNREADABLE)
    }

    fn of_json(answer: &str) -> Option<Self> {
        let object = answer.get(answer.find('{')?..=answer.rfind('}')?)?;
        let said: Said = serde_json::from_str(object).ok()?;
        let confidence = said.confidence.unwrap_or(Self::UNSTATED);
        let complexity = Complexity::read(&said.complexity).filter(|_| (0.0..=1.0).contains(&confidence))?;
        Some(Self { complexity, confidence })
    }

    /// What a person who knows the answer says.
    pub fn certain(complexity: Complexity) -> Self {
        Self { complexity, confidence: 1.0 }
    }
}

/// The model for a question that was classified so.
pub fn decide(said: &Classification) -> Route {
    match said.complexity {
        Complexity::Simple => Route::Small,
        Complexity::Moderate if said.confidence > CONFIDENT => Route::Small,
        Complexity::Moderate | Complexity::Complex => Route::Large,
    }
}

/// The model that a question deserves: the small one where it can do the work.
pub fn deserved(complexity: Complexity) -> Route {
    decide(&Classification::certain(complexity))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_of_a_classifier_leads_to_one_model() {
        use Complexity::*;
        use Route::*;
        let table = [
            (r#"{"complexity": "SIMPLE", "confidence": 0.9, "reasoning": "a fact"}"#, Simple, 0.9, Small),
            (r#"{"complexity": "SIMPLE", "confidence": 0.1}"#, Simple, 0.1, Small),
            (r#"{"complexity": "MODERATE", "confidence": 0.81}"#, Moderate, 0.81, Small),
            (r#"{"complexity": "MODERATE", "confidence": 0.8}"#, Moderate, 0.8, Large),
            (r#"{"complexity": "COMPLEX", "confidence": 0.99}"#, Complex, 0.99, Large),
            // No confidence is stated
            (r#"{"complexity": "MODERATE"}"#, Moderate, 0.8, Large),
            (r#"{"complexity": "SIMPLE"}"#, Simple, 0.8, Small),
            // A fence, a sentence before, another case
            ("```json\n{\"complexity\": \"SIMPLE\", \"confidence\": 0.95}\n```", Simple, 0.95, Small),
            (r#"Sure: {"complexity": "moderate", "confidence": 1} I think."#, Moderate, 1.0, Small),
            // What is no answer
            ("I would say it is simple.", Complex, 0.5, Large),
            (r#"{"complexity": "SIMPLE", "#, Complex, 0.5, Large),
            (r#"{"complexity": "TRIVIAL", "confidence": 0.9}"#, Complex, 0.5, Large),
            (r#"{"complexity": "MODERATE", "confidence": 95}"#, Complex, 0.5, Large),
            ("} {", Complex, 0.5, Large),
            ("", Complex, 0.5, Large),
        ];
        for (answer, complexity, confidence, route) in table {
            let said = Classification::read(answer);
            assert_eq!(said, Classification { complexity, confidence }, "{answer}");
            assert_eq!(decide(&said), route, "{answer}");
        }
    }

    #[test]
    fn only_complex_work_deserves_the_large_model() {
        assert_eq!(Complexity::ALL.map(deserved), [Route::Small, Route::Small, Route::Large]);
    }
}
