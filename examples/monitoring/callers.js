/**
 * Who calls the shop, and how often.
 *
 * @typedef {object} Caller
 * @property {string} address What the proxy before the shop would write into X-Forwarded-For.
 * @property {string} [key]
 * @property {'GET' | 'POST'} [method] Default: GET.
 * @property {readonly string[]} paths Taken in turn.
 * @property {number} perSecond In the long run.
 * @property {number} wave How far the rate swings to both sides: 0 is steady, 1 is between nothing and twice as much.
 * @property {number} periodS How long one swing takes, seconds.
 */

/** @type {readonly Caller[]} */
export const callers = [
  ...[1, 2, 3, 4].map((host) => ({ address: `198.51.100.${host}`, paths: ['/products', '/products/7'], perSecond: 2, wave: 0.5, periodS: 60 + 10 * host })),
  { address: '198.51.100.20', key: 'key-of-ada', paths: ['/search'], perSecond: 6, wave: 1, periodS: 40 },
  { address: '198.51.100.21', key: 'key-of-bob', paths: ['/products/1', '/products/2'], perSecond: 25, wave: 0.5, periodS: 90 },
  { address: '198.51.100.22', key: 'key-of-cron', paths: ['/products'], perSecond: 2, wave: 0, periodS: 1 },
  // A page with many pictures: they come late, and all of them come.
  { address: '198.51.100.30', paths: ['/thumbnail'], perSecond: 20, wave: 0.6, periodS: 20 },
  // One who copies the whole shop, one who guesses passwords, and one who looks for holes.
  { address: '203.0.113.66', paths: ['/products/1', '/products/2', '/products/3'], perSecond: 15, wave: 1, periodS: 120 },
  { address: '203.0.113.67', method: 'POST', paths: ['/login'], perSecond: 3, wave: 0.3, periodS: 30 },
  { address: '203.0.113.68', paths: ['/wp-login.php', '/.env', '/admin'], perSecond: 1, wave: 0, periodS: 1 }
]
