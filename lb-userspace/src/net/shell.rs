//! Words for a shell, in commands that are printed for people to run.

use std::borrow::Cow;

/// Quotes a word unless it stands for itself. Names of interfaces may contain anything but `/`, `:` and white space,
/// names of network namespaces anything but `/`.
pub fn quoted(word: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@%+=,".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return Cow::Borrowed(word);
    }
    // Within single quotes only the quote itself is special.
    Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn plain_words_stay() {
        for word in ["eth0", "eth0.7", "/proc/7/ns/net", "10.0.0.1/24", "[::1]:80", "a=b"] {
            let plain = !word.contains('[');
            assert_eq!(quoted(word) == word, plain, "{word}");
        }
    }

    /// A real shell reads back what was quoted.
    #[test]
    fn a_shell_reads_the_word_back() {
        for word in
            ["", " ", "a b", "a;reboot", "it's", "'", "$HOME", "`id`", "a\"b", "\\", "*", "~", "#x", "é", "a\nb"]
        {
            let output = Command::new("sh").args(["-c", &format!("printf %s {}", quoted(word))]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word, "{}", quoted(word));
        }
    }
}
