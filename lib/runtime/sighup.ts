interface Registration {
  readonly callback: () => void
}

const registrations = new Set<Registration>()

/**
 * Calls back whenever the process receives SIGHUP, until the function that it returns is called. The callback must not throw.
 *
 * As long as anyone is registered, SIGHUP no longer ends the process, which is what Node does by default: a service that
 * is to end with its terminal must not use this. On Windows the system ends it soon after the console was closed all
 * the same. Worker threads receive no signals. Keeps no process alive.
 */
export function onSighup (callback: () => void): () => void {
  // Wrapped: the same function may be registered twice, and each has to be taken back by itself.
  const registration: Registration = { callback }
  if (registrations.size === 0) process.on('SIGHUP', notifyAll)
  registrations.add(registration)
  return () => {
    // Node's default is back only when no listener is left.
    if (registrations.delete(registration) && registrations.size === 0) process.off('SIGHUP', notifyAll)
  }
}

function notifyAll (): void {
  for (const registration of [...registrations]) {
    // One callback may have taken another one back.
    if (registrations.has(registration)) registration.callback()
  }
}
