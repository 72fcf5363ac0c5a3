import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { onSighup } from '../../lib/runtime/sighup.js'
import { until } from '../fixtures/until.js'

const WITHIN_MS = 20_000
// Windows sends the signal when a console is closed, and lets nobody else send it.
const options = { skip: process.platform === 'win32' && 'no signals' }

/** A listener of the test's own: without one the signal would end this process. */
function signals (t: { teardown: (end: () => void) => void }) {
  let count = 0
  const listener = (): void => { count++ }
  process.on('SIGHUP', listener)
  t.teardown(() => { process.off('SIGHUP', listener) })
  return async () => {
    const next = count + 1
    process.kill(process.pid, 'SIGHUP')
    await until('the signal', WITHIN_MS, () => count === next)
  }
}

t.test('everyone who is registered is called back at each signal, and nobody who has left', options, async (t) => {
  const hangUp = signals(t)
  const calls: string[] = []
  const leaveA = onSighup(() => { calls.push('a') })
  const leaveB = onSighup(() => { calls.push('b') })
  await hangUp()
  t.strictSame(calls.splice(0), ['a', 'b'])
  leaveA()
  await hangUp()
  t.strictSame(calls.splice(0), ['b'])
  leaveB()
  await hangUp()
  t.strictSame(calls, [])
})

t.test('any number of registrations share one listener, which goes with the last', async (t) => {
  const before = process.listenerCount('SIGHUP')
  const callback = (): void => {}
  const leave = Array.from({ length: 100 }, () => onSighup(callback))
  t.equal(process.listenerCount('SIGHUP'), before + 1)
  const last = leave.pop()!
  for (const one of leave) {
    one()
    one() // again: that takes nobody else back
  }
  t.equal(process.listenerCount('SIGHUP'), before + 1)
  last()
  t.equal(process.listenerCount('SIGHUP'), before)
  onSighup(callback)()
  t.equal(process.listenerCount('SIGHUP'), before)
})

t.test('a callback may leave, and take another with it, while the signal is told', options, async (t) => {
  const hangUp = signals(t)
  const calls: string[] = []
  const leaveA = onSighup(() => {
    calls.push('a')
    leaveA()
    leaveB()
  })
  const leaveB = onSighup(() => { calls.push('b') })
  const leaveC = onSighup(() => { calls.push('c') })
  t.teardown(leaveC)
  await hangUp()
  await hangUp()
  t.strictSame(calls, ['a', 'c', 'c'])
})

t.test('SIGHUP spares a process as long as someone is registered, ends it afterwards, and no registration keeps it alive', options, async (t) => {
  const child = (body: string) => {
    const code = `
      import { onSighup } from ${JSON.stringify(new URL('../../lib/runtime/sighup.js', import.meta.url).href)}
      let timer = setInterval(() => {}, 1000)
      ${body}
      process.stdout.write('ready')`
    const child = spawn(process.execPath, ['--input-type=module', '--eval', code], { stdio: ['ignore', 'pipe', 'inherit'] })
    t.teardown(() => { child.kill('SIGKILL') })
    return child
  }
  const rows: ReadonlyArray<readonly [body: string, end: readonly [number | null, string | null], why: string]> = [
    ['onSighup(() => { clearInterval(timer) })', [0, null], 'spared; it ends by itself once nothing else is to be done'],
    ['onSighup(() => {})()', [null, 'SIGHUP'], "Node's default is back"]
  ]
  for (const [body, end, why] of rows) {
    const process = child(body)
    await once(process.stdout, 'data')
    process.kill('SIGHUP')
    t.strictSame(await once(process, 'exit'), end, why)
  }
})
