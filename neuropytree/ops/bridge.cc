// XLA FFI handlers that call kernels as plain functions: each packs the addresses of its operands and jumps.
//
// An FFI call has as first operand the array to add to, and one result, which XLA usually keeps in the same memory
// (`input_output_aliases={0: 0}`; if it does not, the operand is copied first). A kernel gets the result and then the
// other operands in the order of the call: for each array its dimensions as int32, then its address, each naturally
// aligned. An operand with `words` comes twice, first as the 64-bit words that its memory holds. Elements beyond the
// last whole word are in the second view only.
//
// No state, no allocation, no locks: a handler may run in any number of threads at once. Only the C header of the FFI
// is used, and of that only what has been in it from the start; so one library serves every jaxlib.
//
// kernels.h, written when the package is built, lists the kernels:
//   #define NPT_KERNELS(K) K(name, {XLA_FFI_DataType_F32, rank, words}, ...) ...

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>

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

constexpr int64_t kLargest = INT32_MAX - 63;  // a kernel's positions are int32, and rounded up to whole blocks

constexpr size_t ItemSize(XLA_FFI_DataType dtype) {
  switch (dtype) {
    case XLA_FFI_DataType_PRED: return 1;
    case XLA_FFI_DataType_S32: return 4;
    case XLA_FFI_DataType_F32: return 4;
    case XLA_FFI_DataType_F64: return 8;
    default: return 0;
  }
}

constexpr size_t PackedSize(int rank) { return (4 * rank + 7) / 8 * 8 + sizeof(void*); }

// Bytes of the packed arguments of a kernel. Every view takes a multiple of eight.
template <size_t N>
constexpr size_t PackedSize(const Operand (&operands)[N]) {
  size_t size = 0;
  for (const Operand& operand : operands) size += PackedSize(operand.rank) + (operand.words ? PackedSize(1) : 0);
  return size;
}

XLA_FFI_Error* Error(const XLA_FFI_CallFrame* frame, const char* kernel, const char* complaint, size_t operand) {
  char message[256];
  std::snprintf(message, sizeof message, "neuropytree kernel %s, operand %zu: %s", kernel, operand, complaint);
  XLA_FFI_Error_Create_Args args{};
  args.struct_size = XLA_FFI_Error_Create_Args_STRUCT_SIZE;
  args.message = message;
  args.errc = XLA_FFI_Error_Code_INVALID_ARGUMENT;
  return frame->api->XLA_FFI_Error_Create(&args);
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

template <void (*kKernel)(Context*), const auto& kOperands>
XLA_FFI_Error* Call(XLA_FFI_CallFrame* frame, const char* name) {
  constexpr size_t kCount = sizeof kOperands / sizeof kOperands[0];
  if (Answered(frame)) return nullptr;
  if (frame->args.size != kCount || frame->rets.size != 1) {
    return Error(frame, name, "wrong number of operands or results", static_cast<size_t>(frame->args.size));
  }

  alignas(8) char packed[PackedSize(kOperands)];
  char* to = packed;
  for (size_t i = 0; i < kCount; ++i) {
    const Operand& expected = kOperands[i];
    const auto* buffer = static_cast<const XLA_FFI_Buffer*>(i == 0 ? frame->rets.rets[0] : frame->args.args[i]);
    if (buffer->dtype != expected.dtype) return Error(frame, name, "wrong element type", i);
    const int64_t one = 1;
    const int64_t* dims = buffer->rank == 0 ? &one : buffer->dims;
    if ((buffer->rank == 0 ? 1 : buffer->rank) != expected.rank) return Error(frame, name, "wrong rank", i);
    int64_t count = 1;
    for (int d = 0; d < expected.rank; ++d) {
      if (dims[d] > kLargest || (count *= dims[d]) > kLargest) {
        return Error(frame, name, "more than 2147483584 elements", i);
      }
    }
    const int64_t bytes = count * static_cast<int64_t>(ItemSize(expected.dtype));
    if (i == 0) {
      const auto* operand = static_cast<const XLA_FFI_Buffer*>(frame->args.args[0]);
      if (operand->dtype != expected.dtype || operand->rank != buffer->rank ||
          (operand->rank > 0 && std::memcmp(operand->dims, buffer->dims, sizeof *dims * operand->rank) != 0)) {
        return Error(frame, name, "shape or element type differs from the result's", i);
      }
      if (operand->data != buffer->data && bytes > 0) std::memcpy(buffer->data, operand->data, bytes);
    }
    const int64_t words = bytes / 8;
    if (expected.words) to = Pack(to, &words, 1, buffer->data);
    to = Pack(to, dims, expected.rank, buffer->data);
  }

  Context context{packed, nullptr, 0, nullptr};
  kKernel(&context);
  return nullptr;
}

}  // namespace

// The identity on any number of operands, which XLA keeps in place: it can't see through a call, so what goes in is
// computed before, and once, and what comes out is read from memory.
extern "C" __attribute__((visibility("default"))) XLA_FFI_Error* npt_fence(XLA_FFI_CallFrame* frame) {
  if (Answered(frame)) return nullptr;
  for (int64_t i = 0; i < frame->rets.size; ++i) {
    const auto* from = static_cast<const XLA_FFI_Buffer*>(frame->args.args[i]);
    const auto* to = static_cast<const XLA_FFI_Buffer*>(frame->rets.rets[i]);
    if (from->data == to->data) continue;
    size_t bytes = ItemSize(from->dtype);
    if (bytes == 0) return Error(frame, "npt_fence", "unexpected element type", static_cast<size_t>(i));
    for (int64_t d = 0; d < from->rank; ++d) bytes *= static_cast<size_t>(from->dims[d]);
    if (bytes > 0) std::memcpy(to->data, from->data, bytes);
  }
  return nullptr;
}

#define NPT_HANDLER(name, ...)                                                                      \
  extern "C" __attribute__((visibility("hidden"))) void name##_kernel(Context*);                    \
  static constexpr Operand name##_operands[] = {__VA_ARGS__};                                       \
  extern "C" __attribute__((visibility("default"))) XLA_FFI_Error* name(XLA_FFI_CallFrame* frame) { \
    return Call<name##_kernel, name##_operands>(frame, #name);                                      \
  }
NPT_KERNELS(NPT_HANDLER)
