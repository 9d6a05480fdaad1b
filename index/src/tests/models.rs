//! A configured model beside the built-in table: made in the background, changed without a gap.

use super::*;

/// A model of two dimensions that likes texts with one word.
#[derive(Clone)]
struct Likes {
    word: &'static str,
    is_down: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

impl Likes {
    fn of(word: &'static str) -> Likes {
        Likes {
            word,
            is_down: Default::default(),
        }
    }

    fn options(&self) -> Options {
        Options {
            rescorer: Some(Rescorer(std::sync::Arc::new(self.clone()))),
            ..Options::default()
        }
    }
}

impl Embedder for Likes {
    fn model(&self) -> String {
        format!("likes-{}", self.word)
    }

    fn dims(&self) -> usize {
        2
    }

    fn embed(&self, texts: &[&str]) -> anyhow::Result<Vec<Vec<f32>>> {
        anyhow::ensure!(!self.is_down.load(Ordering::Relaxed), "nobody listens");
        let one = |text: &&str| {
            let liked = text.contains(self.word) || *text == "login";
            vec![f32::from(liked), f32::from(!liked)]
        };
        Ok(texts.iter().map(one).collect())
    }

    fn of_model(&self, model: &str) -> Option<std::sync::Arc<dyn Embedder>> {
        let words = ["page", "token"];
        let word = words.into_iter().find(|w| model == format!("likes-{w}"))?;
        Some(std::sync::Arc::new(Likes {
            word,
            ..self.clone()
        }))
    }
}

#[test]
fn another_model_places_the_best_answers_anew_and_changes_without_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let texts = [
        passage("a1", "login token login token"),
        passage("b1", "the login page"),
        passage("c1", "lunch at noon"),
    ];
    let (page, token) = (Likes::of("page"), Likes::of("token"));
    let first = |index: &Index| {
        let page = index
            .search(&Query::new("login", [AudienceId(1)], 3))
            .unwrap();
        assert_eq!(page.notes, Vec::<String>::new());
        page.items[0].passage.id.clone()
    };
    let index = Index::open(dir.path(), "log", page.options()).unwrap();
    index.apply(&texts.map(Op::Put), Seq(1)).unwrap();
    assert_eq!(
        first(&index),
        "a1",
        "the built-in vectors answer before the model has come far"
    );
    let backlog = index.embed_more(2).unwrap();
    assert_eq!(
        backlog,
        Backlog {
            model: "likes-page".into(),
            answering: None,
            left: 1
        }
    );
    assert_eq!(first(&index), "a1");
    let backlog = index.embed_more(2).unwrap();
    assert_eq!(
        (backlog.answering.as_deref(), backlog.left),
        (Some("likes-page"), 0)
    );
    assert_eq!(first(&index), "b1");
    drop(index);
    // Another model is configured: the old one answers until the new one has all vectors.
    let index = Index::open(dir.path(), "log", token.options()).unwrap();
    assert_eq!(first(&index), "b1");
    let backlog = index.embed_more(2).unwrap();
    assert_eq!(
        (backlog.answering.as_deref(), backlog.left),
        (Some("likes-page"), 1)
    );
    assert_eq!(first(&index), "b1");
    assert_eq!(
        index.embed_more(2).unwrap().answering.as_deref(),
        Some("likes-token")
    );
    assert_eq!(first(&index), "a1");
    let files = || {
        fs::read_dir(dir.path())
            .unwrap()
            .flatten()
            .filter(|e| e.file_name().to_string_lossy().starts_with("model-"))
            .count()
    };
    assert_eq!(files(), 1, "the old model's vectors are removed");
    let reader = Index::open_read_only(dir.path(), "log", token.options()).unwrap();
    assert_eq!(first(&reader), "a1");
    assert!(reader.embed_more(1).is_err());
    // An endpoint that is down costs its share of the answer and says so.
    token.is_down.store(true, Ordering::Relaxed);
    let answered = index
        .search(&Query::new("login", [AudienceId(1)], 3))
        .unwrap();
    assert_eq!((answered.items.len(), answered.notes.len()), (3, 1));
    token.is_down.store(false, Ordering::Relaxed);
    // What is built again has other rows, so that no vector may stay.
    index
        .rebuild([(Op::Put(passage("b1", "the login page")), Seq(1))].into_iter())
        .unwrap();
    assert_eq!((index.embed_more(0).unwrap().left, files()), (1, 0));
}
