//! Placeholders of Helm's templates (`{{ … }}`) in a manifest that was not rendered:
//! what they would become is not known, so each is made into something harmless
//! that keeps the manifest YAML and its lines where they are.
//!
//! A placeholder that is alone in its line, as `{{- if … }}` and `{{ end }}` are,
//! becomes nothing, and so does one that is a key's whole value where more stands
//! below the key (`labels: {{- include … | nindent 4 }}`). All others become the word
//! `placeholder`. What stands between `if` and `end` is kept, both sides of an `else`.

/// The word that stands in for a value that is not known.
const WORD: &str = "placeholder";

/// The text without placeholders, and how many there were.
pub(crate) fn neutralised(text: &str) -> (String, usize) {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut count) = (text, 0);
    while let Some(start) = rest.find("{{") {
        let Some(length) = rest[start..].find("}}") else {
            break;
        };
        let (before, inside) = (&rest[..start], &rest[start..start + length + 2]);
        let after = &rest[start + length + 2..];
        out.push_str(before);
        let line = &out[out.rfind('\n').map_or(0, |end| end + 1)..];
        let ends_line = after
            .lines()
            .next()
            .is_none_or(|rest| rest.trim().is_empty());
        let alone = line.trim().is_empty() && ends_line;
        let heads_more = line.trim_end().ends_with(':') && ends_line && {
            let below = after.lines().skip(1).find(|l| !l.trim().is_empty());
            below.is_some_and(|below| indent(below) > indent(line))
        };
        if !alone && !heads_more {
            out.push_str(WORD);
        }
        // Every later place keeps its line.
        out.extend(inside.chars().filter(|c| *c == '\n'));
        rest = after;
        count += 1;
    }
    out.push_str(rest);
    (out, count)
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_yaml_with_the_same_lines() {
        for (text, left, count) in [
            ("a: 1\n", "a: 1\n", 0),
            ("{{- if .Values.x }}\na: 1\n{{ end }}\n", "\na: 1\n\n", 2),
            (
                "labels: {{- include \"l\" . | nindent 4 }}\n    a: b\n",
                "labels: \n    a: b\n",
                1,
            ),
            (
                "namespace: {{ include \"n\" . }}\nnext: 1\n",
                "namespace: placeholder\nnext: 1\n",
                1,
            ),
            (
                "image: \"{{ .r }}/x:{{ .t }}\"\n",
                "image: \"placeholder/x:placeholder\"\n",
                2,
            ),
            ("{{/* a\n comment */}}\na: 1\n", "\n\na: 1\n", 1),
            ("a: {{ cut off\n", "a: {{ cut off\n", 0),
        ] {
            let found = neutralised(text);
            assert_eq!(found, (left.to_owned(), count), "{text}");
            assert_eq!(found.0.lines().count(), text.lines().count());
        }
    }
}
