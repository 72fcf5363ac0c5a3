/**
 * Parses an IPv4 address in its canonical spelling into a signed 32-bit integer; `null` for any other text.
 * There is no cache: with many addresses, a look-up would cost more than this loop.
 */
export function parseIpv4 (text: string): number | null {
  let octets = 1
  let digits = 0
  let value = 0
  let address = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 0x2e) {
      if (digits === 0 || octets === 4) return null
      address = address << 8 | value
      octets++
      digits = 0
      value = 0
    } else {
      const digit = code - 0x30
      if (digit < 0 || digit > 9 || (digits > 0 && value === 0)) return null
      value = value * 10 + digit
      if (value > 255) return null
      digits++
    }
  }
  return octets === 4 && digits > 0 ? address << 8 | value : null
}
