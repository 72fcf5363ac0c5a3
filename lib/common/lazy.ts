/** A value that is created at the first call, and kept. For what takes long to create and most applications never need. */
export function lazy<Value extends object> (create: () => Value): () => Value {
  let value: Value | undefined
  return () => (value ??= create())
}
