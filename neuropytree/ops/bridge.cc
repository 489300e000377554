// XLA FFI handlers that call kernels as plain functions: each packs the addresses of its operands and jumps.
//
// A kernel updates its first `in_place` operands: they are also the first results, which XLA usually keeps in the same
// memory (`input_output_aliases`; where it does not, the operand is copied first). Further results, `outputs`, are
// memory to be written. The kernel gets, in the order of the call, its operands (the result where one is updated), then
// the outputs: for each array its dimensions as int32, then its address, each naturally aligned. An operand with
// `words` comes twice, first as the 64-bit words that its memory holds. Elements beyond the last whole word are in the
// second view only.
//
// A kernel with a `span` gets last six int32, {begin, budget, part, parts, stop, own}, and memory to use as it likes.
// Called with one part it does its work from `begin` on, and if that turns out to be more than `budget` it leaves off
// at an item boundary and puts the position in `stop`, -1 otherwise. The rest is then done in parts on XLA's intra-op
// pool. Either parts write to disjoint memory in the order of a single thread, and there may be any number of them. Or,
// where the kernel has put how much work is left in `own`, each adds to an output of its own, and their sum is added in
// the end: then the number of parts depends on the work alone. So no result depends on the number of threads.
//
// No locks: a handler may run in any number of threads at once. Only the C header of the FFI is used, and of that only
// what has been in it from the start, or is asked for; so one library serves every jaxlib.
//
// The one state that results depend on is a list of kernels that were compiled while the program runs. `npt_register`
// adds to it, nothing is ever taken from it, and `npt_custom` looks a kernel up by the name in its attribute `kernel`,
// for a name means the same in every process and an address doesn't.
//
// kernels.h, written when the package is built, lists the kernels:
//   #define NPT_KERNELS(K) K(name, in_place, outputs, parts, {XLA_FFI_DataType_F32, rank, words}, ...) ...
// with the outputs last among the operands, and `parts` the parts per thread, 0 for a kernel without a span.

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <thread>

#include "kernels.h"
#include "xla/ffi/api/c_api.h"

namespace {

struct Context {  // What a kernel is handed; it reads `arguments` only.
  void* arguments;
  void* runtime;
  int32_t thread;
  int64_t* result;
};

struct Operand {
  XLA_FFI_DataType dtype;
  int rank;
  bool words;
};

struct Kernel {
  const char* name;
  void (*baseline)(Context*);  // for any x86-64 processor
  void (*modern)(Context*);    // for one with AVX2; the same numbers
  const Operand* operands;  // and then the outputs
  int count;                // of both
  int in_place;
  int outputs;
  int parts;  // for each thread; 0 without a span
};

constexpr int kRoom = 1024;  // elements of a span that a kernel may use as it likes

struct alignas(64) Span {
  int32_t begin, budget, part, parts, stop = -1, own = 0;
  int32_t unused[10];
  int32_t room[kRoom];  // left as it is: nobody pays for what isn't used

  Span(int32_t begin, int32_t budget, int32_t part, int32_t parts)
      : begin(begin), budget(budget), part(part), parts(parts) {}
};

constexpr int64_t kLargest = INT32_MAX - 63;  // a kernel's positions are int32, and rounded up to whole blocks
constexpr size_t kPacked = 1024;              // bytes that the packed arguments of a kernel may take
constexpr int32_t kBudget = 16384;            // items of work (edges, elements) below which threads don't pay
constexpr int64_t kWorth = 4;                 // items of work for each element of an output, for each of two parts with
                                              // outputs of their own; twice as many for each of more
constexpr size_t kLine = 64;                  // bytes of memory that move together
constexpr int64_t kOwn = 16;                  // parts with an output of their own, at most

// Whether this processor has what the second form of every kernel was compiled for. The environment can say no, so that
// the first form can be tested on any processor.
const bool kModern = (__builtin_cpu_init(), std::getenv("NEUROPYTREE_BASELINE") == nullptr &&
                                                __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") &&
                                                __builtin_cpu_supports("fma"));

constexpr size_t ItemSize(XLA_FFI_DataType dtype) {
  switch (dtype) {
    case XLA_FFI_DataType_PRED: return 1;
    case XLA_FFI_DataType_S8: return 1;
    case XLA_FFI_DataType_U8: return 1;
    case XLA_FFI_DataType_S16: return 2;
    case XLA_FFI_DataType_U16: return 2;
    case XLA_FFI_DataType_S32: return 4;
    case XLA_FFI_DataType_U32: return 4;
    case XLA_FFI_DataType_F32: return 4;
    case XLA_FFI_DataType_S64: return 8;
    case XLA_FFI_DataType_U64: return 8;
    case XLA_FFI_DataType_F64: return 8;
    default: return 0;
  }
}

constexpr size_t PackedSize(int rank) { return (4 * rank + 7) / 8 * 8 + sizeof(void*); }

// Bytes of the packed arguments of a kernel. Every view takes a multiple of eight.
template <size_t N>
constexpr size_t PackedSize(const Operand (&operands)[N]) {
  size_t size = PackedSize(1);
  for (const Operand& operand : operands) size += PackedSize(operand.rank) + (operand.words ? PackedSize(1) : 0);
  return size;
}

XLA_FFI_Error* Failure(const XLA_FFI_CallFrame* frame, const char* message, XLA_FFI_Error_Code code) {
  XLA_FFI_Error_Create_Args args{};
  args.struct_size = XLA_FFI_Error_Create_Args_STRUCT_SIZE;
  args.message = message;
  args.errc = code;
  return frame->api->XLA_FFI_Error_Create(&args);
}

XLA_FFI_Error* Error(const XLA_FFI_CallFrame* frame, const char* kernel, const char* complaint, int operand) {
  char message[256];
  std::snprintf(message, sizeof message, "neuropytree kernel %s, operand %d: %s", kernel, operand, complaint);
  return Failure(frame, message, XLA_FFI_Error_Code_INVALID_ARGUMENT);
}

// XLA asks a handler, once, which version of the interface it speaks. What is used here is older than any version, so
// the answer is that of the caller where the headers of the build were newer.
void Describe(const XLA_FFI_CallFrame* frame, XLA_FFI_Metadata* metadata) {
  XLA_FFI_Api_Version& version = metadata->api_version;
  const XLA_FFI_Api_Version& theirs = frame->api->api_version;
  version.struct_size = XLA_FFI_Api_Version_STRUCT_SIZE;
  version.extension_start = nullptr;
  version.major_version = XLA_FFI_API_MAJOR;
  version.minor_version = theirs.major_version == XLA_FFI_API_MAJOR && theirs.minor_version < XLA_FFI_API_MINOR
                              ? theirs.minor_version
                              : XLA_FFI_API_MINOR;
  metadata->traits = 0;
  if (metadata->struct_size >= offsetof(XLA_FFI_Metadata, state_type_id) + sizeof(XLA_FFI_TypeId)) {
    metadata->state_type_id = XLA_FFI_TypeId{0};
  }
}

char* Pack(char* to, const int64_t* dims, int rank, void* data) {
  for (int d = 0; d < rank; ++d) {
    const int32_t dim = static_cast<int32_t>(dims[d]);
    std::memcpy(to + 4 * d, &dim, 4);
  }
  to += PackedSize(rank) - sizeof data;
  std::memcpy(to, &data, sizeof data);
  return to + sizeof data;
}

// Whether this is not a call but XLA's question which version of the interface the handler speaks.
bool Answered(const XLA_FFI_CallFrame* frame) {
  if (frame->extension_start == nullptr || frame->extension_start->type != XLA_FFI_Extension_Metadata) return false;
  Describe(frame, reinterpret_cast<XLA_FFI_Metadata_Extension*>(frame->extension_start)->metadata);
  return true;
}

// A call in parts. It lives until the last task has looked at it, which may be after the call.
struct Job {
  void (*run)(Job* job, char* packed, int part);
  const Kernel* kernel;
  std::atomic<int> next{0}, done{0}, references{1};
  int32_t begin, parts;
  size_t span_at, size;
  char* own;      // outputs of all parts but the first, `stride` bytes from one to the next, or null
  size_t stride;  // whole cache lines, which no two threads then write to
  char* output;  // and what they are added to: so many
  int64_t count;
  int32_t outputs;
  alignas(8) char packed[kPacked];
};

void Invoke(const Kernel& kernel, char* packed, size_t span_at, Span* span) {
  if (kernel.parts > 0) std::memcpy(packed + span_at, &span, sizeof span);
  Context context{packed, nullptr, 0, nullptr};
  (kModern ? kernel.modern : kernel.baseline)(&context);
}

void RunPart(Job* job, char* packed, int part) {
  if (job->own != nullptr) {
    const size_t bytes = static_cast<size_t>(job->count) * ItemSize(job->kernel->operands[0].dtype);
    char* output = part == 0 ? job->output : job->own + static_cast<size_t>(part - 1) * job->stride;
    if (part > 0) std::memset(output, 0, bytes);
    std::memcpy(packed + PackedSize(1) - sizeof output, &output, sizeof output);
  }
  Span span(job->begin, INT32_MAX, part, job->parts);
  Invoke(*job->kernel, packed, job->span_at, &span);
}

template <typename T>
void AddOwn(const Job* job, int64_t first, int64_t last) {
  T* output = reinterpret_cast<T*>(job->output);
  for (int32_t k = 0; k < job->outputs; ++k) {
    const T* own = reinterpret_cast<const T*>(job->own + static_cast<size_t>(k) * job->stride);
    for (int64_t i = first; i < last; ++i) output[i] += own[i];
  }
}

void RunSum(Job* job, char*, int part) {
  const int64_t first = job->count * part / job->parts, last = job->count * (part + 1) / job->parts;
  if (job->kernel->operands[0].dtype == XLA_FFI_DataType_F32) {
    AddOwn<float>(job, first, last);
  } else {
    AddOwn<double>(job, first, last);
  }
}

// Does parts of a job, whichever are next, until none is left.
void Work(Job* job) {
  alignas(8) char packed[kPacked];
  std::memcpy(packed, job->packed, job->size);
  for (int part; (part = job->next.fetch_add(1)) < job->parts;) {
    job->run(job, packed, part);
    job->done.fetch_add(1, std::memory_order_release);
  }
}

void Release(Job* job) {
  if (job->references.fetch_sub(1) == 1) delete job;
}

void Task(void* job) {
  Work(static_cast<Job*>(job));
  Release(static_cast<Job*>(job));
}

void Destroy(const XLA_FFI_CallFrame* frame, XLA_FFI_Error* error) {
  if (error == nullptr) return;
  XLA_FFI_Error_Destroy_Args args{};
  args.struct_size = XLA_FFI_Error_Destroy_Args_STRUCT_SIZE;
  args.error = error;
  frame->api->XLA_FFI_Error_Destroy(&args);
}

int64_t Threads(const XLA_FFI_CallFrame* frame) {
  constexpr size_t kNeeded = offsetof(XLA_FFI_Api, XLA_FFI_ThreadPool_NumThreads) + sizeof(void*);
  if (frame->api->struct_size < kNeeded) return 1;
  int64_t threads = 1;
  XLA_FFI_ThreadPool_NumThreads_Args args{};
  args.struct_size = XLA_FFI_ThreadPool_NumThreads_Args_STRUCT_SIZE;
  args.ctx = frame->ctx;
  args.num_threads = &threads;
  XLA_FFI_Error* error = frame->api->XLA_FFI_ThreadPool_NumThreads(&args);
  Destroy(frame, error);
  return error == nullptr ? threads : 1;
}

// The calling thread works too, and waits for parts that have begun only: two calls never wait for each other.
void Finish(const XLA_FFI_CallFrame* frame, Job* job, int64_t threads) {
  for (int64_t i = 1; i < std::min<int64_t>(threads, job->parts); ++i) {
    job->references.fetch_add(1);
    XLA_FFI_ThreadPool_Schedule_Args args{};
    args.struct_size = XLA_FFI_ThreadPool_Schedule_Args_STRUCT_SIZE;
    args.ctx = frame->ctx;
    args.task = Task;
    args.data = job;
    if (XLA_FFI_Error* error = frame->api->XLA_FFI_ThreadPool_Schedule(&args)) {
      Destroy(frame, error);
      Release(job);
      break;
    }
  }
  Work(job);
  for (int spins = 0; job->done.load(std::memory_order_acquire) < job->parts; ++spins) {
    if (spins > 1000) std::this_thread::yield();
  }
  Release(job);
}

Job* Begin(const Kernel& kernel, const char* packed, size_t span_at, size_t size, int32_t begin) {
  Job* job = new (std::nothrow) Job;
  if (job == nullptr) return nullptr;
  job->run = RunPart;
  job->kernel = &kernel;
  job->begin = begin;
  job->span_at = span_at;
  job->size = size;
  job->own = nullptr;
  std::memcpy(job->packed, packed, size);
  return job;
}

constexpr size_t kLargePage = size_t{1} << 21;

// Memory for parts to write to, in large pages if it fills any.
char* Room(size_t bytes) {
  if (bytes < kLargePage) return static_cast<char*>(std::malloc(bytes));
  const size_t whole = (bytes + kLargePage - 1) / kLargePage * kLargePage;
  void* memory = std::aligned_alloc(kLargePage, whole);
  if (memory != nullptr) madvise(memory, whole, MADV_HUGEPAGE);
  return static_cast<char*>(memory);
}

// XLA's buffers lie in small pages, and a kernel that adds here and there to millions of elements finds few of them
// among the addresses that the processor remembers. So the time that large calls take is noted for each buffer, and
// when it is many times what moving the buffer to large pages costs, it is moved. In a loop that is once; where it is
// there already, asking again costs a microsecond.
class Buffer {
 public:
  Buffer(char* data, size_t bytes) : begin_(Clock::now()) {
    if (bytes < kLargePage) return;
    place_ = &places[reinterpret_cast<uintptr_t>(data) / kLine * 0x9E3779B97F4A7C15u >> (64 - kPlaceBits)];
    if (place_->data.exchange(data, std::memory_order_relaxed) != data) {
      place_->spent.store(0, std::memory_order_relaxed);
    } else if (place_->spent.load(std::memory_order_relaxed) > static_cast<int64_t>(kPatience * bytes)) {
      place_->spent.store(0, std::memory_order_relaxed);
      const uintptr_t from = reinterpret_cast<uintptr_t>(data) / kLargePage * kLargePage;
      const uintptr_t to = reinterpret_cast<uintptr_t>(data) + bytes;
      // an older system has no such advice; a page that another mapping has a part of stays as it is
      madvise(reinterpret_cast<void*>(from), (to - from + kLargePage - 1) / kLargePage * kLargePage, kCollapse);
    }
  }
  ~Buffer() {
    if (place_ == nullptr) return;
    const auto spent = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin_);
    place_->spent.fetch_add(spent.count(), std::memory_order_relaxed);
  }
  Buffer(const Buffer&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  struct Place {
    std::atomic<char*> data{nullptr};
    std::atomic<int64_t> spent{0};  // nanoseconds
  };
  static constexpr int kPlaceBits = 6;
  static constexpr int kCollapse = 25;  // MADV_COLLAPSE, since Linux 6.1
  static constexpr size_t kPatience = 2;  // nanoseconds a byte: 20 times what moving one takes
  static Place places[size_t{1} << kPlaceBits];

  Clock::time_point begin_;
  Place* place_ = nullptr;
};

Buffer::Place Buffer::places[size_t{1} << kPlaceBits];

// What is left of a call after its first, serial piece. `count` is the length of the first operand.
XLA_FFI_Error* Share(const XLA_FFI_CallFrame* frame, const Kernel& kernel, char* packed, size_t span_at, size_t size,
                     const Span& so_far, char* output, int64_t count) {
  const Buffer buffer(output, static_cast<size_t>(count) * ItemSize(kernel.operands[0].dtype));
  const int64_t threads = Threads(frame);
  const int64_t worth = so_far.own / (kWorth * std::max<int64_t>(count, 1));
  const int64_t own = worth < 2 ? 0 : std::clamp<int64_t>(worth / 4 * 2, 2, kOwn);  // even, for two threads
  if (so_far.own > 0 ? own < 2 : threads < 2) {
    Span span(so_far.stop, INT32_MAX, 0, 1);
    Invoke(kernel, packed, span_at, &span);
    return nullptr;
  }
  Job* job = Begin(kernel, packed, span_at, size, so_far.stop);
  Job* sum = own > 0 ? Begin(kernel, packed, span_at, size, 0) : nullptr;
  const size_t stride = (static_cast<size_t>(count) * ItemSize(kernel.operands[0].dtype) + kLine - 1) / kLine * kLine;
  char* memory = own > 0 ? Room(stride * static_cast<size_t>(own - 1)) : nullptr;
  if (job == nullptr || (own > 0 && (sum == nullptr || memory == nullptr))) {
    delete job;
    delete sum;
    std::free(memory);
    return Failure(frame, "neuropytree: out of memory", XLA_FFI_Error_Code_RESOURCE_EXHAUSTED);
  }
  job->parts = static_cast<int32_t>(own > 0 ? own : std::min<int64_t>(threads, 1024) * kernel.parts);
  for (Job* each : {job, sum}) {
    if (each == nullptr) continue;
    each->own = memory;
    each->stride = stride;
    each->output = output;
    each->count = count;
    each->outputs = static_cast<int32_t>(own - 1);
  }
  Finish(frame, job, threads);
  if (sum != nullptr) {
    sum->run = RunSum;
    sum->parts = static_cast<int32_t>(std::min<int64_t>(threads, 1024));
    Finish(frame, sum, threads);
  }
  std::free(memory);
  return nullptr;
}

XLA_FFI_Error* Call(const XLA_FFI_CallFrame* frame, const Kernel& kernel) {
  const int inputs = kernel.count - kernel.outputs;
  if (frame->args.size != inputs || frame->rets.size != kernel.in_place + kernel.outputs) {
    return Error(frame, kernel.name, "wrong number of operands or results", static_cast<int>(frame->args.size));
  }
  alignas(8) char packed[kPacked];
  char* to = packed;
  for (int i = 0; i < kernel.count; ++i) {
    const Operand& expected = kernel.operands[i];
    const void* slot = i < kernel.in_place ? frame->rets.rets[i]
                       : i < inputs        ? frame->args.args[i]
                                           : frame->rets.rets[kernel.in_place + i - inputs];
    const auto* buffer = static_cast<const XLA_FFI_Buffer*>(slot);
    if (buffer->dtype != expected.dtype) return Error(frame, kernel.name, "wrong element type", i);
    const int64_t one = 1;
    const int64_t* dims = buffer->rank == 0 ? &one : buffer->dims;
    if ((buffer->rank == 0 ? 1 : buffer->rank) != expected.rank) return Error(frame, kernel.name, "wrong rank", i);
    int64_t count = 1;
    for (int d = 0; d < expected.rank; ++d) {
      if (dims[d] > kLargest || (count *= dims[d]) > kLargest) {
        return Error(frame, kernel.name, "more than 2147483584 elements", i);
      }
    }
    const int64_t bytes = count * static_cast<int64_t>(ItemSize(expected.dtype));
    if (i < kernel.in_place) {
      const auto* operand = static_cast<const XLA_FFI_Buffer*>(frame->args.args[i]);
      if (operand->dtype != expected.dtype || operand->rank != buffer->rank ||
          (operand->rank > 0 && std::memcmp(operand->dims, buffer->dims, sizeof *dims * operand->rank) != 0)) {
        return Error(frame, kernel.name, "shape or element type differs from the result's", i);
      }
      if (operand->data != buffer->data && bytes > 0) std::memcpy(buffer->data, operand->data, bytes);
    }
    const int64_t words = bytes / 8;
    if (expected.words) to = Pack(to, &words, 1, buffer->data);
    to = Pack(to, dims, expected.rank, buffer->data);
  }
  if (kernel.parts == 0) {
    Invoke(kernel, packed, 0, nullptr);
    return nullptr;
  }
  const int64_t length = sizeof(Span) / sizeof(int32_t);
  Span span(0, kBudget, 0, 1);
  to = Pack(to, &length, 1, &span);
  const size_t size = static_cast<size_t>(to - packed), span_at = size - sizeof(void*);
  Invoke(kernel, packed, span_at, &span);
  if (span.stop < 0) return nullptr;
  const auto* first = static_cast<const XLA_FFI_Buffer*>(frame->rets.rets[0]);
  int64_t count = 1;
  for (int64_t d = 0; d < first->rank; ++d) count *= first->dims[d];
  return Share(frame, kernel, packed, span_at, size, span, static_cast<char*>(first->data), count);
}

// An argument of a kernel that was compiled while the program runs: its inputs, then its outputs.
struct Argument {
  int32_t dtype;
  int32_t rank;  // -1: the value itself
};

constexpr size_t kPackedCustom = 4096;

struct Custom {
  const char* name;
  void (*function)(Context*);
  const Argument* arguments;
  int inputs, outputs;
  Custom* next;
};

std::atomic<Custom*> customs{nullptr};

const Custom* Find(const char* name, size_t length) {
  for (const Custom* custom = customs.load(std::memory_order_acquire); custom != nullptr; custom = custom->next) {
    if (std::strlen(custom->name) == length && std::memcmp(custom->name, name, length) == 0) return custom;
  }
  return nullptr;
}

XLA_FFI_Error* CallCustom(const XLA_FFI_CallFrame* frame, const Custom& kernel) {
  if (frame->args.size != kernel.inputs || frame->rets.size != kernel.outputs) {
    return Error(frame, kernel.name, "wrong number of operands or results", static_cast<int>(frame->args.size));
  }
  alignas(8) char packed[kPackedCustom];
  size_t at = 0;
  for (int i = 0; i < kernel.inputs + kernel.outputs; ++i) {
    const Argument& expected = kernel.arguments[i];
    const bool output = i >= kernel.inputs;
    const auto* buffer =
        static_cast<const XLA_FFI_Buffer*>(output ? frame->rets.rets[i - kernel.inputs] : frame->args.args[i]);
    if (static_cast<int32_t>(buffer->dtype) != expected.dtype) return Error(frame, kernel.name, "wrong element type", i);
    if (buffer->rank != (expected.rank < 0 ? 0 : expected.rank)) return Error(frame, kernel.name, "wrong rank", i);
    const size_t size = ItemSize(buffer->dtype);
    if (expected.rank < 0) {
      at = (at + size - 1) / size * size;
      std::memcpy(packed + at, buffer->data, size);
      at += size;
      continue;
    }
    int64_t count = 1;
    for (int d = 0; d < expected.rank; ++d) {
      if (buffer->dims[d] > kLargest || (count *= buffer->dims[d]) > kLargest) {
        return Error(frame, kernel.name, "more than 2147483584 elements", i);
      }
    }
    if (output && count > 0) std::memset(buffer->data, 0, static_cast<size_t>(count) * size);
    const int64_t one = 1;  // an array of rank 0 has room for one dimension
    const bool scalar = expected.rank == 0;
    char* to = packed + (at + 7) / 8 * 8;
    at = static_cast<size_t>(Pack(to, scalar ? &one : buffer->dims, scalar ? 1 : expected.rank, buffer->data) - packed);
  }
  Context context{packed, nullptr, 0, nullptr};
  kernel.function(&context);
  return nullptr;
}

}  // namespace

// Adds a kernel under a name that says what it computes: one that is there already is the same. `arguments` are pairs
// (element type, rank). Returns what is wrong, or nothing.
extern "C" __attribute__((visibility("default"))) const char* npt_register(const char* name, void* function, int inputs,
                                                                           int outputs, const int32_t* arguments) {
  if (Find(name, std::strlen(name)) != nullptr) return nullptr;
  const int count = inputs + outputs;
  size_t size = 0;
  for (int i = 0; i < count; ++i) {
    if (ItemSize(static_cast<XLA_FFI_DataType>(arguments[2 * i])) == 0) return "an element type without kernels";
    size += PackedSize(std::max(arguments[2 * i + 1], 1)) + 8;
  }
  if (size > kPackedCustom) return "too many arguments";
  char* copy = new (std::nothrow) char[std::strlen(name) + 1];
  Argument* list = new (std::nothrow) Argument[count > 0 ? count : 1];
  Custom* custom = new (std::nothrow) Custom;
  if (copy == nullptr || list == nullptr || custom == nullptr) return "out of memory";
  std::strcpy(copy, name);
  for (int i = 0; i < count; ++i) list[i] = {arguments[2 * i], arguments[2 * i + 1]};
  *custom = {copy, reinterpret_cast<void (*)(Context*)>(function), list, inputs, outputs, customs.load()};
  while (!customs.compare_exchange_weak(custom->next, custom, std::memory_order_release)) {
  }
  return nullptr;
}

extern "C" __attribute__((visibility("default"))) XLA_FFI_Error* npt_custom(XLA_FFI_CallFrame* frame) {
  if (Answered(frame)) return nullptr;
  for (int64_t i = 0; i < frame->attrs.size; ++i) {
    const XLA_FFI_ByteSpan* key = frame->attrs.names[i];
    if (frame->attrs.types[i] != XLA_FFI_AttrType_STRING || key->len != 6 || std::memcmp(key->ptr, "kernel", 6) != 0) {
      continue;
    }
    const auto* name = static_cast<const XLA_FFI_ByteSpan*>(frame->attrs.attrs[i]);
    if (const Custom* custom = Find(name->ptr, name->len)) return CallCustom(frame, *custom);
    char message[512];
    std::snprintf(message, sizeof message,
                  "neuropytree: the custom kernel %.*s isn't loaded in this process, where this program was not "
                  "compiled. Call the custom operator here once on operands of the same dtypes and ranks, or compile "
                  "the program here",
                  static_cast<int>(std::min<size_t>(name->len, 128)), name->ptr);
    return Failure(frame, message, XLA_FFI_Error_Code_FAILED_PRECONDITION);
  }
  return Failure(frame, "neuropytree: a call of npt_custom without a kernel", XLA_FFI_Error_Code_INVALID_ARGUMENT);
}

// The identity on any number of operands, which XLA keeps in place: it can't see through a call, so what goes in is
// computed before, and once, and what comes out is read from memory.
extern "C" __attribute__((visibility("default"))) XLA_FFI_Error* npt_fence(XLA_FFI_CallFrame* frame) {
  if (Answered(frame)) return nullptr;
  for (int64_t i = 0; i < frame->rets.size; ++i) {
    const auto* from = static_cast<const XLA_FFI_Buffer*>(frame->args.args[i]);
    const auto* to = static_cast<const XLA_FFI_Buffer*>(frame->rets.rets[i]);
    if (from->data == to->data) continue;
    size_t bytes = ItemSize(from->dtype);
    if (bytes == 0) return Error(frame, "npt_fence", "unexpected element type", static_cast<int>(i));
    for (int64_t d = 0; d < from->rank; ++d) bytes *= static_cast<size_t>(from->dims[d]);
    if (bytes > 0) std::memcpy(to->data, from->data, bytes);
  }
  return nullptr;
}

#define NPT_HANDLER(name, in_place, outputs, parts, ...)                                                      \
  extern "C" __attribute__((visibility("hidden"))) void name##_kernel(Context*);                              \
  extern "C" __attribute__((visibility("hidden"))) void name##_modern(Context*);                              \
  static constexpr Operand name##_operands[] = {__VA_ARGS__};                                                 \
  static_assert(PackedSize(name##_operands) <= kPacked);                                                      \
  static constexpr Kernel name##_entry{                                                                       \
      #name,    name##_kernel, name##_modern, name##_operands, sizeof name##_operands / sizeof(Operand),      \
      in_place, outputs,       parts};                                                                        \
  extern "C" __attribute__((visibility("default"))) XLA_FFI_Error* name(XLA_FFI_CallFrame* frame) {           \
    return Answered(frame) ? nullptr : Call(frame, name##_entry);                                             \
  }
NPT_KERNELS(NPT_HANDLER)
