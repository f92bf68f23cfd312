//! Runs stages of the hot path so that callgrind can count their instructions; `cargo xtask counts` starts it and reads the
//! counts.
//!
//! ```text
//! counts [--plant STAGE=INSTRUCTIONS] [STAGE]…     all stages without a name; a name may be the beginning of several
//! ```
//!
//! Callgrind is told to collect only inside [`counted`] and to write down and forget at [`stage_is_over`]. So there is one
//! part of its output a stage, in the order of the lines that this program prints: name, steps counted.

use benches::stages::{Stage, all};
use std::hint::black_box;
use std::process::ExitCode;

/// Steps of each stage that are counted, after as many that are not: whatever grows or is found out at first is in place,
/// and each of the thousand different messages, bars and orders is met once.
const STEPS: u64 = 1_024;

/// The one place whose instructions count.
#[inline(never)]
fn counted(stage: &mut dyn Stage) {
    stage.steps();
    // Keeps the call from becoming a jump: callgrind leaves this function where it returns.
    black_box(());
}

/// Callgrind writes down what it has counted, and begins at 0 again.
#[inline(never)]
fn stage_is_over(name: &str) {
    black_box(name);
}

/// A stage that was made slower on purpose, to show that it is noticed.
struct Planted {
    stage: Box<dyn Stage>,
    /// More of them a step.
    instructions: f64,
}

impl Stage for Planted {
    fn batch(&self) -> u64 {
        self.stage.batch()
    }

    fn prepare(&mut self) {
        self.stage.prepare();
    }

    fn step(&mut self) {
        self.stage.step();
    }

    fn steps(&mut self) {
        self.stage.steps();
        work((self.instructions * self.stage.batch() as f64) as u64);
    }
}

/// Work of about so many instructions that nobody can optimise away.
fn work(instructions: u64) {
    /// Of one round, as compiled for x86-64; it need not be exact.
    const ROUND: u64 = 5;
    let mut x = instructions;
    for _ in 0..instructions / ROUND {
        x = black_box(x.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    }
    black_box(x);
}

fn run(name: &str, mut stage: Box<dyn Stage>) {
    let batches = STEPS.div_ceil(stage.batch());
    for _ in 0..batches {
        stage.prepare();
        stage.steps();
    }
    for _ in 0..batches {
        stage.prepare();
        counted(&mut *stage);
    }
    stage_is_over(name);
    println!("{name}\t{}", batches * stage.batch());
}

/// Instructions that the compiler was allowed to use, and that are found at run time, which under valgrind are those it
/// emulates: counts of different sets are not comparable.
fn processor() -> String {
    #[cfg(target_arch = "x86_64")]
    macro_rules! features {
        ($($name:tt)*) => {
            [$(($name, cfg!(target_feature = $name), std::arch::is_x86_feature_detected!($name))),*]
        };
    }
    #[cfg(target_arch = "x86_64")]
    let features = features!("sse4.2" "aes" "pclmulqdq" "avx" "avx2" "bmi2" "fma" "sha" "avx512f");
    #[cfg(not(target_arch = "x86_64"))]
    let features: [(&str, bool, bool); 0] = [];
    let list = |is_wanted: fn(&(&'static str, bool, bool)) -> bool| {
        features.into_iter().filter(is_wanted).map(|(name, ..)| format!(" {name}")).collect::<String>()
    };
    let (compiled, found) = (list(|(_, is_compiled, _)| *is_compiled), list(|(.., is_found)| *is_found));
    format!("{}; compiled for:{compiled}; found at run time:{found}", std::env::consts::ARCH)
}

fn main() -> ExitCode {
    let mut wanted: Vec<String> = Vec::new();
    let mut plant = None;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        if arg != "--plant" {
            wanted.push(arg);
            continue;
        }
        let text = args.next().unwrap_or_default();
        let parsed =
            text.split_once('=').and_then(|(name, count)| Some((name.to_owned(), count.parse().ok()?)));
        let Some(parsed) = parsed else {
            eprintln!("counts: --plant takes STAGE=INSTRUCTIONS");
            return ExitCode::from(2);
        };
        plant = Some(parsed);
    }
    println!("processor\t{}", processor());
    let mut ran = 0;
    for &(name, make) in all() {
        if !wanted.is_empty() && !wanted.iter().any(|start| name.starts_with(start.as_str())) {
            continue;
        }
        ran += 1;
        match &plant {
            Some((planted, instructions)) if planted == name => {
                run(name, Box::new(Planted { stage: make(), instructions: *instructions }));
            }
            _ => run(name, make()),
        }
    }
    if ran == 0 {
        eprintln!("counts: no stage is called {}", wanted.join(" or "));
        return ExitCode::from(2);
    }
    ExitCode::SUCCESS
}
