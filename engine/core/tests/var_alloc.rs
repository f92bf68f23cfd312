//! Value at risk takes no memory once it is built: every allocation of the thread is counted while it runs.

use smc_core::var::{
    Decay, Ewma, FilteredHistorical, PortfolioVar, PortfolioVarSettings, RESIDUALS_DROPPED,
    SlidingHistorical, Tail, VarMonitor,
};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static TAKEN: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is handed unchanged to the system allocator, which upholds the contract; the counter is a
// constant-initialised thread local without a destructor, so touching it allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.with(|taken| taken.set(taken.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on; all memory came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        TAKEN.with(|taken| taken.set(taken.get() + 1));
        // SAFETY: the caller's promises are passed on; all memory came from `System`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn returns_forecasts_and_books_take_no_memory() {
    // Both ways to find a tail: picked one by one, and by selection.
    for basis_points in [100, 2_000] {
        let (tail, decay) = (Tail::from_basis_points(basis_points).unwrap(), Decay::USUAL);
        let settings = PortfolioVarSettings { instruments: 8, window: 500, tail, decay };
        let mut portfolio = PortfolioVar::new(settings).unwrap();
        let mut sliding = SlidingHistorical::new(500, tail).unwrap();
        let mut ewma = Ewma::new(decay);
        let mut filtered = FilteredHistorical::new(500, decay, RESIDUALS_DROPPED, tail).unwrap();
        let mut monitor = VarMonitor::new(tail);
        let (mut random, mut given, mut returns, mut weights) = (7u64, 0, [0.0; 8], [0.0; 8]);
        let before = TAKEN.with(Cell::get);
        for _ in 0..3_000 {
            for (value, weight) in returns.iter_mut().zip(&mut weights) {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *value = (random >> 40) as f64 / 1e9 - 0.008;
                *weight = (random & 0xFF) as f64 / 100.0;
            }
            portfolio.push(&returns);
            sliding.on_return(returns[0]);
            ewma.on_return(returns[0]);
            filtered.on_return(returns[0]);
            if let (Some(book), Some(_), Some(_)) =
                (portfolio.of_book(&weights), sliding.risk(), filtered.risk())
            {
                monitor.on_return(book.var(), returns[1]);
                given += u64::from(monitor.reading().is_some());
            }
        }
        assert_eq!(TAKEN.with(Cell::get) - before, 0);
        assert!(given > 2_400, "{given}");
    }
}
