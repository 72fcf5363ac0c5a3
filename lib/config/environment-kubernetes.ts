/** What Kubernetes says of a service: by name where it is `rate-limit`, for none of our options is called so. */
const OF_OUR_NAME = /^RATE_LIMIT_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)$/

const OF_A_LONGER_NAME = /^RATE_LIMIT_\w+_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)$/

const PORT = /^RATE_LIMIT_\w+_PORT$/

/**
 * Whether Kubernetes has set a variable, which tells every container where the services around it are: those of one
 * that is called `rate-limit`, or begins so, look like ours.
 */
export function isServiceLink (variable: string, text: string): boolean {
  // Somebody may write RATE_LIMIT_REDIS_PORT=6380 and believe it; Kubernetes writes a URL there.
  return OF_OUR_NAME.test(variable) || OF_A_LONGER_NAME.test(variable) || (PORT.test(variable) && /^(?:tcp|udp|sctp):\/\//.test(text))
}
