// npm run demo:webhook  webhooks held until they are due, instead of being refused; ends by itself, with exit code 0 only
//                       if every signed event was handled once, at the rate of the limit
import { randomBytes } from 'node:crypto'
import { formatColumns } from '../shared/columns.js'
import { buildServer, limit } from './server.js'
import { bursts, send } from './shops.js'

const secrets = new Map(bursts.flatMap(({ shops }) => shops.map((shop) => [shop, randomBytes(32).toString('hex')])))
/** @type {Array<{ shop: string, id: string }>} */
const handled = []
const app = await buildServer(secrets, (shop, { id }) => { handled.push({ shop, id }) })
const origin = await app.listen({ port: 0, host: '127.0.0.1' })
const outcomes = []
for (const burst of bursts) outcomes.push(await send(origin, burst, secrets, handled))
await app.close()

const { maxQueued, maxQueuedPerClient } = limit.throttle
console.log(`POST /hooks/:shop, ${limit.burst} at once and ${limit.max} a second of each shop; ${maxQueuedPerClient} of a shop may wait, ${maxQueued} of all:\n`)
console.log(formatColumns([
  ['burst', 'sent', 'taken at once', 'held', 'refused', 'handled in the end', 'within'],
  ...outcomes.map(({ burst, atOnce, held, refused, handled, seconds }) => [
    burst.what, ...[burst.shops.length * burst.events, atOnce, held, refused, handled].map(String), `${seconds.toFixed(1)} s`
  ])
]))
console.log('\nWho was refused came again when Retry-After told him to.')

const broken = outcomes.flatMap((outcome) => outcome.broken)
for (const line of broken) console.error(`\nNot as promised: ${line}`)
process.exitCode = broken.length > 0 ? 1 : 0
