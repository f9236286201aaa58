//! Loops on the widest vectors that the processor has. Knows nothing of what they do.

use pulp::{Arch, Simd, WithSimd};

/// Does work that the compiler may put on wide vectors; what it calls must be inlined, else it is compiled for narrow ones.
///
/// pulp takes closures too, but as ones that are called once: those that borrow are called by way of a function that nothing
/// has inlined, so that they ran on narrow vectors. Called by reference there is no such function.
pub(crate) fn wide<R>(work: impl FnMut() -> R) -> R {
    struct Work<F>(F);

    impl<R, F: FnMut() -> R> WithSimd for Work<F> {
        type Output = R;

        #[expect(clippy::inline_always, reason = "what is not inlined is not compiled for wide vectors")]
        #[inline(always)]
        fn with_simd<S: Simd>(mut self, _: S) -> R {
            (self.0)()
        }
    }

    Arch::new().dispatch(Work(work))
}
