//! Words that were probably meant by a misspelt one.

/// Least similarity, from 0 to 1, at which a word is suggested for another one.
const MIN_SIMILARITY: f64 = 0.6;

/// Returns the word that a misspelt one is most like.
pub(crate) fn most_similar<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let score = |known: &str| strsim::normalized_damerau_levenshtein(&word.to_ascii_lowercase(), known);
    let scored = known.iter().map(|known| (score(known), *known));
    let close = scored.filter(|(similarity, _)| *similarity >= MIN_SIMILARITY);
    close.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, known)| known)
}

/// Returns a question for the word that was meant, or all words that are known.
pub(crate) fn suggestion(word: &str, known: &[&str]) -> String {
    match most_similar(word, known) {
        Some(meant) => format!("did you mean '{meant}'?"),
        None => format!("known are {}", known.join(", ")),
    }
}
