//! WebSocket frames in memory: one of the venue's parsed in place, one of ours written under its mask.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench may crash")]

use benches::messages;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use smc_net::ws::{Frame, FrameReader, FrameWriter, MaskSource, Opcode};
use std::hint::black_box;

/// A frame as a server sends it: not masked.
fn served(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81];
    match payload.len() {
        len @ 0..=125 => frame.push(len as u8),
        len @ 126..=0xffff => {
            frame.push(126);
            frame.extend((len as u16).to_be_bytes());
        }
        len => {
            frame.push(127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}

fn bench(c: &mut Criterion) {
    let messages = messages(4_096);
    let mut frames: Vec<Vec<u8>> = messages.iter().map(|message| served(message)).collect();
    let mut reader = FrameReader::new(1 << 20);
    for (frame, message) in frames.iter_mut().zip(&messages) {
        let len = frame.len();
        let (taken, parsed) = reader.next(frame).unwrap();
        assert_eq!(taken, len);
        assert!(matches!(parsed, Frame::Message { is_binary: false, payload } if payload == message));
    }
    // The length of an order.place request.
    let order: Vec<u8> = (0..264).map(|at| b' ' + (at % 90) as u8).collect();
    let mut masks = MaskSource::new(7);
    let mut out = vec![0; order.len() + 14];
    let key = masks.next_key();
    let writer = FrameWriter::new(Opcode::Text, &order, key);
    let len = writer.len();
    writer.fill(0, &mut out[..len]);
    let unmasked = out[len - order.len()..len].iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key);
    assert!(unmasked.eq(order.iter().copied()));

    let mut group = c.benchmark_group("ws");
    group.throughput(Throughput::Elements(1));
    let mut nth = 0;
    group.bench_function("parse a market message", |b| {
        b.iter(|| {
            nth = (nth + 1) % frames.len();
            black_box(reader.next(black_box(&mut frames[nth])).is_ok())
        });
    });
    group.bench_function("write an order under its mask", |b| {
        b.iter(|| {
            let writer = FrameWriter::new(Opcode::Text, black_box(&order), masks.next_key());
            writer.fill(0, &mut out[..len]);
            black_box(&mut out);
        });
    });
}

criterion_group!(group, bench);
criterion_main!(group);
