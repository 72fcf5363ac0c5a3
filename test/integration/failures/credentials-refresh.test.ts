// Open connections change their user and password: before these expire, and after a reload.
import t from 'tap'
import { startRedis } from '../../fixtures/redis-server.js'
import { decides, listConnections, openOperator, setPassword } from './acl-users.js'
import { SOON_MS, startService, until } from './outage.js'

t.test('an open connection authenticates again before its password expires', async (t) => {
  const server = await startRedis(t)
  const operator = openOperator(t, server)
  await setPassword([operator], 'first', 'first-secret')
  await setPassword([operator], 'second', 'second-secret')
  let username = 'first'
  const password = () => ({ username, password: `${username}-secret`, expiresInMs: 1000 })
  const service = await startService(t, { redis: { host: '127.0.0.1', port: server.port, password }, health: false })
  await until(t, 'Redis decides', SOON_MS, async () => await decides(service))
  const before = await listConnections(operator, 'first')
  t.equal(before.length, 1)
  username = 'second'
  await until(t, 'it is authenticated as the second user', SOON_MS, async () => (await listConnections(operator, 'second')).length === 1)
  t.strictSame(await listConnections(operator, 'second'), before, 'the connection is the same')

  username = 'unknown'
  await until(t, 'a failure is reported', SOON_MS, async () => (await service.app.rateLimit.health()).lastError === 'WRONGPASS')
  t.ok(await decides(service), 'Redis still decides')
  t.equal((await service.app.rateLimit.health()).status, 'ok')
  username = 'first'
  await until(t, 'it is tried again', SOON_MS, async () => (await listConnections(operator, 'first')).length === 1)
  t.strictSame(await listConnections(operator, 'first'), before, 'the connection is still the same')
  t.notMatch(JSON.stringify(service.log), /secret/)
})

t.test('a reload changes the credentials, and nothing else of the address', async (t) => {
  const server = await startRedis(t)
  const operator = openOperator(t, server)
  for (const user of ['first', 'second', 'third']) await setPassword([operator], user, `${user}-secret`)
  const address = `127.0.0.1:${server.port}`
  const service = await startService(t, { redis: `redis://first:first-secret@${address}`, health: false })
  await until(t, 'Redis decides', SOON_MS, async () => await decides(service))
  const before = await listConnections(operator, 'first')

  await service.app.rateLimit.reload({ redis: `redis://second:second-secret@${address}` })
  await until(t, 'an open connection has the new user', SOON_MS, async () => (await listConnections(operator, 'second')).length === 1)
  t.strictSame(await listConnections(operator, 'second'), before, 'the connection is the same')
  await operator.call('CLIENT', 'KILL', 'USER', 'second')
  await until(t, 'a new connection has it too', SOON_MS, async () => (await listConnections(operator, 'second')).length === 1)

  await t.rejects(service.app.rateLimit.reload({ redis: `redis://second:second-secret@localhost:${server.port}` }), { code: 'FST_SLUICE_FIXED_OPTION' })
  await t.rejects(service.app.rateLimit.reload({ redis: `redis://second:second-secret@${address}/1` }), { code: 'FST_SLUICE_FIXED_OPTION' })

  await service.app.rateLimit.reload({ redis: `redis://third:wrong-secret@${address}` })
  await until(t, 'a failure is reported', SOON_MS, async () => (await service.app.rateLimit.health()).lastError === 'WRONGPASS')
  t.ok(await decides(service), 'Redis still decides')
  await service.app.rateLimit.reload({ redis: `redis://third:third-secret@${address}` })
  await until(t, 'the next one is right', SOON_MS, async () => (await listConnections(operator, 'third')).length === 1)
  t.notMatch(JSON.stringify(service.log), /secret/)
})
