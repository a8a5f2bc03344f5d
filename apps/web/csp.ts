/**
 * What the page may do, for the header of whoever serves it and for the `<meta>` of the built page. The API may stand
 * anywhere, so connections are open; scripts, styles and all else come from the page's own folder. WebAssembly may be
 * compiled (a model in the browser); strings become code nowhere, and become markup only through DOMPurify.
 */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self'",
  "font-src 'self'",
  "worker-src 'self'",
  "connect-src 'self' http: https:",
  "base-uri 'none'",
  "form-action 'none'",
  "require-trusted-types-for 'script'",
  'trusted-types dompurify bitmill',
].join('; ');
