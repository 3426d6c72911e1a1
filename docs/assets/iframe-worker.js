// Browsers start no workers on file:// pages, and the theme searches in one. There, a hidden frame does the same.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.onmessage = null;
      const frame = document.createElement("iframe");
      frame.hidden = true;
      const script = new URL(url, document.baseURI).href.replace(/"/g, "%22");
      frame.srcdoc =
        "<script>postMessage = data => parent.dispatchEvent(new MessageEvent('worker', {data}));" +
        "importScripts = (...urls) => urls.reduce((before, url) => before.then(() => new Promise(done => {" +
        "const script = document.createElement('script'); script.src = url; script.onload = done;" +
        "document.body.appendChild(script)})), Promise.resolve())</" + "script>" +
        `<script src="${script}"></` + "script>";
      this.loaded = new Promise(done => (frame.onload = () => done(frame.contentWindow)));
      this.frame = frame;
      this.pass = ({ data }) => {
        const event = new MessageEvent("message", { data });
        this.dispatchEvent(event);
        this.onmessage?.(event);
      };
      window.addEventListener("worker", this.pass);
      document.body.appendChild(frame);
    }

    postMessage(data) {
      this.loaded.then(scope => scope.dispatchEvent(new MessageEvent("message", { data })));
    }

    terminate() {
      window.removeEventListener("worker", this.pass);
      this.frame.remove();
    }
  };
}
