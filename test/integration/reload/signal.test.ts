// SIGHUP, in a process of its own: in this one it would end the test.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { until } from '../../fixtures/until.js'

const CHILD = fileURLToPath(new URL('../../fixtures/reload-child.js', import.meta.url))
const WITHIN_MS = 20_000

async function start (t: Test, file: string, reloadOnSignal: boolean) {
  const child = spawn(process.execPath, [CHILD, file, String(reloadOnSignal)], { stdio: ['pipe', 'pipe', 'pipe'] })
  t.teardown(() => { child.kill('SIGKILL') })
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => { log += text })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async () => String((await lines.next()).value)
  if (await next() !== 'ready') throw new Error(log)
  return {
    child,
    async limit () {
      child.stdin.write('\n')
      return Number(await next())
    },
    async logs (text: string, times = 1) { await until(text, WITHIN_MS, () => log.split(text).length > times) },
    logged: (text: string) => log.split(text).length - 1
  }
}

t.test('with reloadOnSignal SIGHUP reads the file anew, also one that did not change, and a broken one is refused', { skip: process.platform === 'win32' && 'no signals' }, async (t) => {
  const file = join(t.testdir({ 'rate-limit.toml': 'max = 100' }), 'rate-limit.toml')
  const { child, limit, logs, logged } = await start(t, file, true)
  t.equal(await limit(), 100)
  child.kill('SIGHUP')
  await logs('"source":"signal"')
  t.equal(await limit(), 100)
  // Both the watch and the signal may tell of it: whichever comes first.
  writeFileSync(file, 'max = "many"')
  child.kill('SIGHUP')
  await logs('"source":"signal"', 2)
  t.ok(logged('expected an integer') >= 1)
  t.equal(await limit(), 100)
  writeFileSync(file, 'max = 200')
  child.kill('SIGHUP')
  await until('the new limit', WITHIN_MS, async () => await limit() === 200)
  unlinkSync(file)
  child.kill('SIGHUP')
  await logs('does not exist')
  t.equal(await limit(), 200)
  child.stdin.end()
  t.strictSame(await once(child, 'exit'), [0, null], 'and nothing of it keeps the process')
})

t.test('without it SIGHUP ends the process, as it always does', { skip: process.platform === 'win32' && 'no signals' }, async (t) => {
  const file = join(t.testdir({ 'rate-limit.toml': 'max = 100' }), 'rate-limit.toml')
  const { child } = await start(t, file, false)
  child.kill('SIGHUP')
  t.strictSame(await once(child, 'exit'), [null, 'SIGHUP'])
})
