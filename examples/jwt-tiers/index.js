// npm run demo:jwt-tiers  tiers by a claim of a token that @fastify/jwt has verified; ends by itself, with exit code 0
//                         only if the limits held
import { callersOf, send } from './callers.js'
import { buildServer } from './server.js'
import { formatTable } from './table.js'

const app = await buildServer()
const origin = await app.listen({ port: 0, host: '127.0.0.1' })

const startedMs = performance.now()
const outcomes = []
for (const caller of callersOf(app)) outcomes.push(await send(origin, caller, startedMs))
await app.close()

console.log(`GET /quotes, all from one address:\n\n${formatTable(outcomes)}`)

const broken = outcomes.flatMap((outcome) => outcome.broken)
for (const line of broken) console.error(`\nNot as promised: ${line}`)
process.exitCode = broken.length > 0 ? 1 : 0
