import t from 'tap'
import { runExample } from '../fixtures/example.js'

t.test('in the layout of fastify-cli each limit holds where it belongs', async (t) => {
  const { exit, findCells } = await runExample(t, 'autoload')
  t.strictSame(exit, [0, null])

  const rows: ReadonlyArray<readonly [request: string, allowed: string, refused: string, why: string]> = [
    ['GET /', '4', '0', 'the limits of the plugin that was loaded for all'],
    ['GET /search', '4', '2', 'the route\'s own'],
    ['GET /partners/orders', '4', '0', 'the folder\'s own'],
    ['GET /partners/invoices', '2', '2', 'which its routes share'],
    ['GET /no/such/page', '3', '1', 'a guard of a plugin that depends on the first'],
    ['GET /about', '2', '2', 'what / and unknown pages have left']
  ]
  for (const [request, allowed, refused, why] of rows) t.strictSame(findCells(request).slice(-2), [allowed, refused], `${request}: ${why}`)
})
