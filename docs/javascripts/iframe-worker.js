// The search runs in a worker, which browsers refuse to pages that are opened from a disk. There a hidden frame stands
// for it. (Nothing happens on a server.)
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    #waiting = [];

    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      const begin = () => {
        document.body.append(frame);
        const inside = frame.contentWindow;
        inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
        const script = inside.document.createElement("script");
        script.src = url;
        script.onload = () => {
          this.postMessage = (data) => inside.dispatchEvent(new inside.MessageEvent("message", { data }));
          this.#waiting.forEach(this.postMessage);
        };
        script.onerror = () => this.dispatchEvent(new ErrorEvent("error", { filename: String(url) }));
        inside.document.body.append(script);
      };
      if (document.body) begin();
      else addEventListener("DOMContentLoaded", begin);
    }

    postMessage(data) {
      this.#waiting.push(data);
    }
  };
}
