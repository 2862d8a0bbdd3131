package usb

// Modes that only real phones are seen in. The classifier that finds them is
// in usb/kernel, with the source of every number.
const (
	ModeAndroid   Mode = "android"       // a booted Android (or recovery) answers adb
	ModeDownload  Mode = "download"      // Samsung's download mode (Odin protocol)
	ModeEDL       Mode = "edl"           // Qualcomm's emergency download mode
	ModePreloader Mode = "mtk-preloader" // MediaTek's preloader waits for a moment
	ModeBROM      Mode = "mtk-brom"      // MediaTek's boot ROM
)
