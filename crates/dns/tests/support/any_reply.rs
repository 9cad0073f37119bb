//! What holds for any octets that an upstream may send. The fuzz target and the tests call the same check.
#![allow(unreachable_pub, reason = "a module of tests and of the fuzz target")]

use directory::{Name, RecordType};
use dns::forward::{CacheConfig, Chance, Question, Reply, Sent, Unbelieved, Wishes};
use hickory_proto::op::Message;
use hickory_proto::rr::RData;

/// Panics when what is made of an upstream's reply breaks a rule.
///
/// The octets are read as they are, and as they are after a header and a question that would be believed: guessing
/// those is not what this is about. The first octet chooses the question.
pub fn check(octets: &[u8]) {
    let (choice, rest) = octets.split_first().unwrap_or((&0, &[]));
    let types = [RecordType::A, RecordType::CNAME, RecordType::SRV, RecordType::ANY];
    let name = Name::parse("Www.Example.com").expect("a name");
    let wishes = Wishes { dnssec_ok: choice & 4 != 0, checking_disabled: false };
    let rtype = types[usize::from(choice & 3)];
    let question = Question::new(name.wire(), rtype, wishes).expect("it fits");
    let sent = Sent::new(&question, &Chance { id: 0x1234, case: [choice >> 3; 32] });
    check_message(octets, &sent, &question);
    check_message(&believable(rest, &sent), &sent, &question);
}

/// The octets as what comes after the question. The first eight stand for flags and counts.
fn believable(octets: &[u8], sent: &Sent) -> Vec<u8> {
    let (head, records) = octets.split_at_checked(8).unwrap_or((&[0; 8], octets));
    let mut message = sent.message()[..12].to_vec();
    message[2] = 0x80 | head[0] & 0x05;
    message[3] = head[1];
    message[6..12].copy_from_slice(&head[2..]);
    // Counts above 255 seldom lead anywhere.
    for at in [6, 8, 10] {
        message[at] &= 1;
    }
    message.extend_from_slice(sent.question());
    message.extend_from_slice(records);
    message.truncate(65_535);
    message
}

fn check_message(octets: &[u8], sent: &Sent, question: &Question) {
    let limits = CacheConfig::default();
    let reply = match Reply::read(octets, sent, question, &limits) {
        Ok(reply) => reply,
        Err(Unbelieved::Stranger) => return,
        Err(Unbelieved::CaseChanged | Unbelieved::Truncated | Unbelieved::Malformed) => {
            assert_eq!(octets[..2], sent.message()[..2], "the id was right");
            return;
        }
    };
    assert!(reply.ttl <= limits.ttl_max);
    assert!(reply.is_answer() || reply.ttl <= limits.failure_ttl);
    let message = reply.message();
    assert!(message.len() <= 65_535);
    // No record takes more in our form than its names written out.
    assert!(message.len() <= 64 + octets.len() * 64, "{} of {}", message.len(), octets.len());
    assert_eq!(message[12..12 + question.name().len()], *question.name());
    // Its own reading of it is the same again: nothing is lost or added.
    let mut again = message.to_vec();
    again[..2].copy_from_slice(&sent.message()[..2]);
    again[2] = 0x80;
    again[12..12 + sent.question().len()].copy_from_slice(sent.question());
    let twice = Reply::read(&again, sent, question, &limits).expect("what we wrote can be read");
    assert_eq!(twice.message(), message);
    assert_eq!(twice, reply);
    // What the library reads of the reply, it reads of our form of it. Where it reads compressed names that may not be
    // (SVCB), or no names where there may be (RT), it is no judge.
    if let (Ok(theirs), Ok(ours)) = (Message::from_vec(octets), Message::from_vec(message))
        && !theirs.queries.is_empty()
    {
        assert_eq!(theirs.answers.len(), ours.answers.len());
        for (theirs, ours) in theirs.answers.iter().zip(&ours.answers) {
            assert_eq!(theirs.name, ours.name);
            if matches!(
                theirs.data,
                RData::A(_)
                    | RData::AAAA(_)
                    | RData::CNAME(_)
                    | RData::MX(_)
                    | RData::NAPTR(_)
                    | RData::NS(_)
                    | RData::PTR(_)
                    | RData::SOA(_)
                    | RData::SRV(_)
                    | RData::TXT(_)
            ) {
                assert_eq!(theirs.data, ours.data);
            }
        }
    }
}
