// Server-sent events out of text as it arrives (WHATWG HTML, 9.2.6): only the fields that the service uses.
export function sseParser(onEvent) {
  let rest = '', event = '', data = [], id;
  const line = (text) => {
    if (text === '') {
      if (data.length) onEvent({ event: event || 'message', data: data.join('\n'), id });
      [event, data] = ['', []];
      return;
    }
    const colon = text.indexOf(':');
    if (colon === 0) return; // a comment
    const name = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? '' : text.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') event = value;
    else if (name === 'data') data.push(value);
    else if (name === 'id' && !value.includes('\0')) id = value;
  };
  return (text) => {
    rest += text;
    let end;
    while ((end = rest.search(/\r\n|\r(?!$)|\n/)) >= 0) {
      const length = rest.startsWith('\r\n', end) ? 2 : 1;
      line(rest.slice(0, end));
      rest = rest.slice(end + length);
    }
  };
}
