// npm run demo:fleet  several processes, one limit, and the proof; ends by itself
// npm run demo:fleet -- --stay  goes on serving until Ctrl-C, for its operator page
// REDIS_URL=redis://127.0.0.1:6379 npm run demo:fleet  on that Redis instead of one of its own
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { limit, mostGranted } from './limit.js'
import { sendLoad } from './load.js'
import { findRedis } from './redis.js'
import { formatTallies } from './table.js'

const PROCESSES = 4
const CONNECTIONS = 5
const LOAD_MS = 3000

const redis = await findRedis()
const fleet = Array.from({ length: PROCESSES }, () => fork(fileURLToPath(new URL('node.js', import.meta.url)), {
  env: { ...process.env, REDIS_URL: redis.url, PORT: '0' }
}))
const ports = await Promise.all(fleet.map(async (node) => {
  const ended = once(node, 'exit').then(([code]) => { throw new Error(`a process of the fleet ended with code ${code}`) })
  ended.catch(() => {}) // after the load it is told to
  const [port] = await Promise.race([once(node, 'message'), ended])
  return Number(port)
}))

console.log(`${PROCESSES} processes, one Redis, one client: at most ${limit.burst} at once and ${limit.max} a second.`)
console.log(`Their operator page, with -- --stay also after the proof: http://127.0.0.1:${ports[0]}/admin/rate-limit/page\n`)
const { tallies, seconds } = await sendLoad(ports, { connections: CONNECTIONS, forMs: LOAD_MS })

const granted = tallies.reduce((sum, tally) => sum + tally.granted, 0)
const most = mostGranted(seconds)
console.log(formatTallies(tallies))
console.log(`
The limit's formula, burst + t x max / timeWindow, in ${seconds.toFixed(2)} s:
  ${limit.burst} + ${seconds.toFixed(2)} x ${limit.max} / 1 = ${most} at most; granted in total: ${granted} (${(100 * granted / most).toFixed(1)} %)
${PROCESSES} limiters that know nothing of each other would have granted up to ${PROCESSES * most}.`)

const isHeld = granted <= most && granted >= limit.burst && tallies.every(({ others }) => others === 0)
if (!isHeld) console.error('\nNot as promised.')
process.exitCode = isHeld ? 0 : 1

if (process.argv.includes('--stay')) {
  console.log('\nStill serving. Ctrl-C ends it.')
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
}
await Promise.all(fleet.map(async (node) => {
  const exit = once(node, 'exit')
  if (node.connected) node.disconnect()
  if (node.exitCode === null && node.signalCode === null) await exit
}))
redis.stop()
