type Observer = (result: unknown) => void

const observersByOwner = new WeakMap<object, Map<string, Set<Observer>>>()

/**
 * Observe the results of a method of one object, until the returned function is called. ioredis hides the connections that
 * it opens for its own use, with their errors: to sentinels, and to query the slots of a Cluster. Neither the results nor
 * the behaviour of the method change.
 */
export function observeResults (owner: object, method: string, observer: Observer): () => void {
  const observersByMethod = observersByOwner.get(owner) ?? new Map<string, Set<Observer>>()
  observersByOwner.set(owner, observersByMethod)
  const observers = observersByMethod.get(method) ?? wrap(owner, method)
  observersByMethod.set(method, observers)
  observers.add(observer)
  return () => { observers.delete(observer) }
}

/** Wrap a method once, however many observers it has: several registrations may share a client. */
function wrap (owner: object, method: string): Set<Observer> {
  const observers = new Set<Observer>()
  const original: unknown = Reflect.get(owner, method)
  if (typeof original !== 'function') return observers
  Reflect.set(owner, method, (...args: readonly unknown[]): unknown => {
    const result: unknown = Reflect.apply(original, owner, args)
    for (const observer of observers) observer(result)
    return result
  })
  return observers
}
