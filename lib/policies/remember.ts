/** Keep what is new, and forget the oldest where so many are kept already. */
export function remember<Key, Value> (kept: Map<Key, Value>, key: Key, value: Value, most: number): void {
  for (const oldest of kept.keys()) {
    if (kept.size < most) break
    kept.delete(oldest)
  }
  kept.set(key, value)
}
