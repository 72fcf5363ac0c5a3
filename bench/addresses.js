/*
 * Distinct addresses by number. Each call makes a new, flat text, as the one of a new connection is: its hash is not
 * known to the engine yet, and it shares no memory with the key that a store keeps.
 */
const text = Buffer.allocUnsafe(48)

export const families = {
  IPv4: ipv4,
  IPv6: ipv6
}

/** In 0.0.0.0/0, scattered: neighbours in number are not neighbours in text. */
function ipv4 (index) {
  const bits = scattered(index)
  let end = 0
  for (let shift = 24; shift >= 0; shift -= 8) {
    if (shift !== 24) text[end++] = 0x2e
    end = writeDecimal(bits >>> shift & 255, end)
  }
  return text.latin1Slice(0, end)
}

/** A /56 each, so that each is one client, and a full-length text, as addresses with privacy extensions have. */
function ipv6 (index) {
  const bits = scattered(index)
  let end = text.write('2001:', 0, 'latin1')
  end = writeHex(bits >>> 16 | 0x1000, end)
  end = writeHex(bits & 0xffff | 0x1000, end)
  // The bits that the two groups above have lost, above the 56th bit of the address.
  end = writeHex(((bits >>> 28 & 1) << 9 | (bits >>> 12 & 1) << 8) | 0x1001, end)
  end += text.write('5c1d:9e2f:a0b3:4d77', end, 'latin1')
  return text.latin1Slice(0, end)
}

/** One to one on 32 bits. */
function scattered (index) {
  return Math.imul(index + 1, 0x9e3779b1) >>> 0
}

function writeDecimal (byte, end) {
  if (byte > 99) text[end++] = 0x30 + (byte / 100 | 0)
  if (byte > 9) text[end++] = 0x30 + (byte / 10 | 0) % 10
  text[end++] = 0x30 + byte % 10
  return end
}

function writeHex (group, end) {
  for (let shift = 12; shift >= 0; shift -= 4) {
    const digit = group >>> shift & 15
    text[end++] = digit < 10 ? 0x30 + digit : 0x57 + digit
  }
  text[end++] = 0x3a
  return end
}
