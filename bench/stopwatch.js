import { openSync, readSync } from 'node:fs'

/*
 * Processor time of the main thread: on a machine that does something else as well, waiting for a core would be most
 * of what wall time shows. Linux counts it per thread (proc(5), schedstat); elsewhere wall time has to do.
 */
const schedstat = openSchedstat()
const text = Buffer.alloc(96)

function openSchedstat () {
  try {
    return openSync('/proc/self/schedstat')
  } catch {
    return null
  }
}

/** Nanoseconds that the main thread has run. */
export function threadNs () {
  if (schedstat === null) return performance.now() * 1e6
  // The kernel brings the count up to date here, and not when the file is read.
  process.cpuUsage()
  return Number(text.latin1Slice(0, readSync(schedstat, text, 0, text.length, 0)).split(' ', 1)[0])
}

/** Start measuring; the answer is called once, and gives the thread's time and the wall's. */
export function startStopwatch () {
  const wallStart = performance.now()
  const start = threadNs()
  return () => {
    const ns = threadNs() - start
    return { ns, wallNs: (performance.now() - wallStart) * 1e6 }
  }
}
