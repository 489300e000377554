// The plain loops that the operators are held against: one thread, nothing but what the arithmetic needs.
//
// Each function makes `turns` passes over the event arrays `xs[0..variants)`, one product for each, and adds to `acc`.

#include <cstdint>
#include <cstring>

namespace {

constexpr int64_t kColumns = 64;
constexpr float kRate = 0.5f;  // of a step of descent

template <bool homo>
float weight_of(const float* w, int64_t e) {
  return homo ? w[0] : w[e];
}

template <typename X, bool homo>
void matvec(const int32_t* __restrict indices, const int32_t* __restrict indptr, const float* __restrict w,
            const X* __restrict x, float* __restrict acc, int64_t rows) {
  for (int64_t i = 0; i < rows; ++i) {
    if (x[i] == X(0)) continue;
    const float xi = float(x[i]);
    for (int64_t e = indptr[i]; e < indptr[i + 1]; ++e) acc[indices[e]] += weight_of<homo>(w, e) * xi;
  }
}

template <typename X, bool homo>
void transposed(const int32_t* __restrict indices, const int32_t* __restrict indptr, const float* __restrict w,
                const X* __restrict y, float* __restrict acc, int64_t rows) {
  for (int64_t i = 0; i < rows; ++i) {
    float sum = 0;
    for (int64_t e = indptr[i]; e < indptr[i + 1]; ++e) sum += weight_of<homo>(w, e) * float(y[indices[e]]);
    acc[i] += sum;
  }
}

// By columns: `indices` are rows, `w` is in CSR order and `order` says where an entry's weight is.
template <typename X, bool homo>
void by_columns(const int32_t* __restrict indices, const int32_t* __restrict indptr, const int32_t* __restrict order,
                const float* __restrict w, const X* __restrict y, float* __restrict acc, int64_t columns) {
  for (int64_t j = 0; j < columns; ++j) {
    if (y[j] == X(0)) continue;
    const float yj = float(y[j]);
    for (int64_t e = indptr[j]; e < indptr[j + 1]; ++e)
      acc[indices[e]] += weight_of<homo>(w, homo ? 0 : order[e]) * yj;
  }
}

template <typename X, bool homo>
void matmat(const int32_t* __restrict indices, const int32_t* __restrict indptr, const float* __restrict w,
            const X* __restrict x, float* __restrict acc, int64_t rows) {
  int32_t active[kColumns];
  float values[kColumns];
  for (int64_t i = 0; i < rows; ++i) {
    int count = 0;
    for (int64_t c = 0; c < kColumns; ++c) {
      values[c] = float(x[i * kColumns + c]);
      if (values[c] != 0) active[count++] = int32_t(c);
    }
    if (count == 0) continue;
    const bool all = count >= kColumns / 4;  // then the whole row of 64 goes faster, being vectorised
    for (int64_t e = indptr[i]; e < indptr[i + 1]; ++e) {
      const float we = weight_of<homo>(w, e);
      float* __restrict out = acc + int64_t(indices[e]) * kColumns;
      if (all)
        for (int64_t c = 0; c < kColumns; ++c) out[c] += we * values[c];
      else
        for (int k = 0; k < count; ++k) out[active[k]] += we * values[active[k]];
    }
  }
}

template <typename X>
void outer(const int32_t* __restrict indices, const int32_t* __restrict indptr, const X* __restrict x,
           const float* __restrict ct, float* __restrict acc, int64_t rows) {
  for (int64_t i = 0; i < rows; ++i) {
    if (x[i] == X(0)) continue;
    const float xi = float(x[i]);
    for (int64_t e = indptr[i]; e < indptr[i + 1]; ++e) acc[e] += xi * ct[indices[e]];
  }
}

// The gradient as a function returns it: an array of its own (`fresh`), along which the caller then takes a step.
template <typename X>
void gradient(const int32_t* __restrict indices, const int32_t* __restrict indptr, const X* __restrict x,
              const float* __restrict ct, float* __restrict fresh, float* __restrict acc, int64_t rows) {
  for (int64_t i = 0; i < rows; ++i) {
    const float xi = float(x[i]);
    const int64_t begin = indptr[i], end = indptr[i + 1];
    if (x[i] == X(0))
      std::memset(fresh + begin, 0, (end - begin) * sizeof(float));
    else
      for (int64_t e = begin; e < end; ++e) fresh[e] = xi * ct[indices[e]];
  }
  const int64_t edges = indptr[rows];
  for (int64_t e = 0; e < edges; ++e) acc[e] -= kRate * fresh[e];
}

template <typename X>
void shared_gradient(const int32_t* __restrict indices, const int32_t* __restrict indptr, const X* __restrict x,
                     const float* __restrict ct, float* __restrict acc, int64_t rows) {
  double total = 0;
  for (int64_t i = 0; i < rows; ++i) {
    if (x[i] == X(0)) continue;
    float sum = 0;
    for (int64_t e = indptr[i]; e < indptr[i + 1]; ++e) sum += ct[indices[e]];
    total += float(x[i]) * sum;
  }
  *acc -= kRate * float(total);
}

enum Operation { kMatvec, kTransposed, kByColumns, kMatmat, kOuter, kGradient, kSharedGradient };

struct Arrays {
  const int32_t *indices, *indptr, *order;
  const float *w, *ct;
  float *fresh, *acc;
  int64_t rows;
};

template <typename X, bool homo>
void once(int operation, const Arrays& a, const X* x) {
  switch (operation) {
    case kMatvec: return matvec<X, homo>(a.indices, a.indptr, a.w, x, a.acc, a.rows);
    case kTransposed: return transposed<X, homo>(a.indices, a.indptr, a.w, x, a.acc, a.rows);
    case kByColumns: return by_columns<X, homo>(a.indices, a.indptr, a.order, a.w, x, a.acc, a.rows);
    case kMatmat: return matmat<X, homo>(a.indices, a.indptr, a.w, x, a.acc, a.rows);
    case kOuter: return outer<X>(a.indices, a.indptr, x, a.ct, a.acc, a.rows);
    case kGradient: return gradient<X>(a.indices, a.indptr, x, a.ct, a.fresh, a.acc, a.rows);
    case kSharedGradient: return shared_gradient<X>(a.indices, a.indptr, x, a.ct, a.acc, a.rows);
  }
}

template <typename X>
void run(int operation, bool homo, const Arrays& a, const void* const* xs, int64_t variants, int64_t turns) {
  for (int64_t t = 0; t < turns; ++t)
    for (int64_t v = 0; v < variants; ++v) {
      const X* x = static_cast<const X*>(xs[v]);
      homo ? once<X, true>(operation, a, x) : once<X, false>(operation, a, x);
      // Or the compiler could move work between calls, which a caller of an operator can't.
      asm volatile("" ::: "memory");
    }
}

}  // namespace

extern "C" void npt_loops(int operation, int homo, int boolean, const int32_t* indices, const int32_t* indptr,
                          const int32_t* order, const float* w, const float* ct, float* fresh, float* acc,
                          int64_t rows, const void* const* xs, int64_t variants, int64_t turns) {
  const Arrays arrays{indices, indptr, order, w, ct, fresh, acc, rows};
  if (boolean)
    run<uint8_t>(operation, homo != 0, arrays, xs, variants, turns);
  else
    run<float>(operation, homo != 0, arrays, xs, variants, turns);
}
