//! A retriever: BM25 over the passages of a corpus.

use std::sync::LazyLock;

use bm25::{Document, Language, SearchEngine, SearchEngineBuilder};
use serde::Deserialize;

/// A passage that can be found.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passage {
    /// Its id, one among all.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its text.
    pub text: String,
}

/// A searchable corpus.
#[derive(Debug)]
pub struct Corpus {
    passages: Vec<Passage>,
    engine: SearchEngine<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CorpusFile {
    passages: Vec<Passage>,
}

static CORPUS: LazyLock<Corpus> = LazyLock::new(|| {
    let file: CorpusFile = toml::from_str(super::task::CORPUS)
        .unwrap_or_else(|error| unreachable!("a test reads the embedded corpus: {error}"));
    Corpus::of(file.passages)
});

impl Corpus {
    /// A corpus of these passages.
    pub fn of(passages: Vec<Passage>) -> Self {
        let document = |(id, passage): (u32, &Passage)| Document {
            id,
            contents: format!("{}\n{}", passage.title, passage.text),
        };
        let documents: Vec<_> = (0..).zip(&passages).map(document).collect();
        let engine = SearchEngineBuilder::with_documents(Language::English, documents).build();
        Self { passages, engine }
    }

    /// The corpus that ships.
    pub fn shipped() -> &'static Self {
        &CORPUS
    }

    /// The `k` passages that fit `query` best, the best one first (BM25: Robertson & Zaragoza 2009).
    pub fn search(&self, query: &str, k: usize) -> Vec<&Passage> {
        let found = self.engine.search(query, k);
        found.into_iter().filter_map(|found| self.passages.get(found.document.id as usize)).collect()
    }
}
