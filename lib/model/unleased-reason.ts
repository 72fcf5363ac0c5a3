/**
 * Why a limit is not leased.
 *
 * - `off`: the option `leases` is not set
 * - `no-redis`: the limits are not in Redis
 * - `client-resends`: the Redis client may send a call twice; see `limiterClientOptions`
 * - `sliding-window`: leases need a token bucket or a fixed window
 * - `calendar`: limits with a `period`; units that a stopped process holds would be lost until its end
 * - `throttled`: requests may be held
 * - `small`: fewer than 64 units
 * - `short`: a lease would end within 20 ms
 * - `by-function`: a function computes the numbers of the limit
 * - `concurrency`: each request takes a slot, which needs a call
 * - `beside-exact`: another limit of the policy is not leased, so each request needs a call anyway
 */
export type UnleasedReason =
  'off' | 'no-redis' | 'client-resends' | 'concurrency' | 'sliding-window' | 'calendar' | 'throttled' | 'small' | 'short' |
  'by-function' | 'beside-exact'
