// npm run demo:hot-reload  limits in a TOML file that is changed while requests go on; ends by itself, with exit code 0
//                          only if what was used stayed used
import { formatColumns } from '../shared/columns.js'
import { LimitsFile } from './limits-file.js'
import { buildServer } from './server.js'
import { keepAsking, send, steps } from './steps.js'

const file = await LimitsFile.copyOf(new URL('rate-limit.toml', import.meta.url))
const app = await buildServer(file.path)
const origin = await app.listen({ port: 0, host: '127.0.0.1' })

const rows = [['change of the file', 'it is', 'request', 'sent', 'allowed', 'refused', 'left']]
const broken = []
const refusals = []
const others = keepAsking(origin)
for (const step of steps) {
  const message = step.edit === null ? null : await file.change(step.edit)
  if (message?.result === 'failure') refusals.push(message.error)
  const reload = message?.result === 'failure' ? 'refused' : 'taken'
  if (reload !== step.reload) broken.push(`${step.change}: ${reload}, promised ${step.reload}`)
  const { allowed, refused, left, broken: unkept } = await send(origin, step)
  rows.push([step.change, reload, `GET ${step.path}`, ...[step.sent, allowed, refused, left].map(String)])
  broken.push(...unkept)
}
const { requests, errors, limits } = await others.stop()
await app.close()

console.log(`One client, whose used units stay used:\n\n${formatColumns(rows)}`)
console.log(`\nOf the file that was refused the log says:\n\n${refusals.map((error) => `  ${/** @type {Error} */ (error).message}`).join('\n')}`)
console.log(`\nAnother client asked ${requests} times meanwhile, and saw the limits ${limits.join(', then ')}; errors: ${errors}`)

if (errors > 0) broken.push(`${errors} answers that were neither 200 nor 429`)
if (limits.join() !== '50,100,40') broken.push(`limits ${limits.join(', ')} in force, promised 50, 100, 40`)
for (const line of broken) console.error(`\nNot as promised: ${line}`)
process.exitCode = broken.length > 0 ? 1 : 0
