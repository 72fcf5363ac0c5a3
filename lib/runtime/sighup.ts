interface Registration {
  readonly callback: () => void
}

const registrations = new Set<Registration>()

/**
 * Call a function whenever the process receives SIGHUP. Returns a function that removes the callback. The callback must
 * not throw.
 *
 * While a callback is registered, SIGHUP does not end the process, as it does by default in Node. A service that must end
 * with its terminal must not use this. On Windows, the system still ends the process soon after the console is closed.
 * Worker threads receive no signals. A registration does not keep the process alive.
 */
export function onSighup (callback: () => void): () => void {
  // Wrapped: the same function may be registered twice, and each registration is removed separately.
  const registration: Registration = { callback }
  if (registrations.size === 0) process.on('SIGHUP', notifyAll)
  registrations.add(registration)
  return () => {
    // Node restores its default only when no listener is left.
    if (registrations.delete(registration) && registrations.size === 0) process.off('SIGHUP', notifyAll)
  }
}

function notifyAll (): void {
  for (const registration of [...registrations]) {
    // A callback may have removed another one.
    if (registrations.has(registration)) registration.callback()
  }
}
