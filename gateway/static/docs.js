// Shows the gateway's own document. Nothing of it leaves this machine: no validator is asked.
window.addEventListener('load', () => {
  window.SwaggerUIBundle({
    url: '/openapi.json',
    dom_id: '#api',
    validatorUrl: null,
    deepLinking: true,
    docExpansion: 'none',
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    filter: true,
    // The scope that an operation needs.
    showExtensions: true,
  });
});
