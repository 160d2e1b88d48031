//! Where a request ends.

/// The bytes of the request at the start of `raw`, once all of it came.
pub(super) fn complete(raw: &[u8]) -> Option<usize> {
    let head = raw.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let whole = head.checked_add(content_length(&raw[..head]))?;
    (raw.len() >= whole).then_some(whole)
}

/// What the head says of the body; nothing is no body.
fn content_length(head: &[u8]) -> usize {
    const NAME: &[u8] = b"content-length:";
    let lines = head.split(|&byte| byte == b'\n');
    let value = lines
        .filter_map(|line| Some((line.get(..NAME.len())?, &line[NAME.len()..])))
        .find(|(name, _)| name.eq_ignore_ascii_case(NAME))
        .and_then(|(_, value)| std::str::from_utf8(value).ok()?.trim().parse().ok());
    value.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_complete_with_its_body() {
        let raw = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcPOST";
        assert_eq!(complete(raw), Some(raw.len() - 4));
        for short in 0..raw.len() - 4 {
            assert_eq!(complete(&raw[..short]), None, "{short}");
        }
        assert_eq!(complete(b"POST / HTTP/1.1\r\n\r\n"), Some(19));
    }
}
