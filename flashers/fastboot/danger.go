package fastboot

import "strings"

// protected are partitions that no port writes: without them a phone does not
// start, or loses what only its factory can give back. Names are those of
// Qualcomm, MediaTek, Exynos, Unisoc and Tegra phones, without slot suffix.
var protected = []struct{ why, names string }{
	{"it holds the bootloader; a phone with a wrong one does not start, not even fastboot",
		"bootloader aboot abl lk lk2 lk_main uboot u-boot sboot hboot preloader preloader_a preloader_b pbl xbl xbl_config xblconfig sbl sbl1 sbl2 sbl3 spl splloader bct ebt uboot_log bl1 bl2 el3_mon ldfw cm"},
	{"it holds firmware that runs before or beside the bootloader; a phone with a wrong one does not start",
		"tz trustzone rpm hyp devcfg cmnlib cmnlib64 keymaster keymint tee tee1 tee2 atf gz1 gz2 scp scp1 scp2 sspm sspm_1 sspm_2 mcupm pmic aop uefi uefisecapp qupfw cpucp shrm imagefv multiimgoem multiimgqti trustos sml teecfg pm_sys storsec secdata sec seccfg sec1 apdp msadp dpm spmfw"},
	{"it says where the partitions are; a wrong one makes the phone lose all of them",
		"partition gpt pgpt sgpt primary_gpt secondary_gpt mbr ebr ebr1 ebr2 pmt pit gptbackup"},
	{"it holds the radio's calibration and identity (IMEI); they exist once and only in this phone",
		"modemst1 modemst2 fsg fsc efs efs1 efs2 efs3 nvram nvdata nvcfg nv_data nvitem l_fixnv1 l_fixnv2 l_runtimenv1 l_runtimenv2 w_fixnv1 w_runtimenv1 protect1 protect2 protect_f protect_s proinfo prodnv miscdata cpefs m9kefs1 m9kefs2 m9kefs3"},
	{"it holds calibration data of sensors, WLAN or display, made for this phone in the factory",
		"persist persistbak persdata mfg factory calibration ftm otp param steady devinfo config oem_info sutinfo cdt limits ddr ssd uda"},
	{"it holds the radio's firmware, which a port never replaces",
		"modem radio md1img md1dsp md3img l_modem l_ldsp w_modem wcnmodem pm_sys cp cpcard"},
	{"it holds locks of the phone's owner (factory reset protection, bootloader lock)",
		"frp keystore metadata_lock lockinfo vbmeta_lock deviceinfo oemlock"},
}

// whyProtected tells why a partition is never written, "" if it may be.
// Copies (abootbak, tz_backup) and slots (xbl_a) count as what they copy.
func whyProtected(partition string) string {
	name := baseName(partition)
	for _, suffix := range []string{"_backup", "backup", "_bak", "bak"} {
		if s, ok := strings.CutSuffix(name, suffix); ok && s != "" {
			name = s
			break
		}
	}
	name = baseName(name)
	for _, p := range protected {
		for n := range strings.FieldsSeq(p.names) {
			if n == name {
				return p.why
			}
		}
	}
	return ""
}

// baseName is a partition's name without its slot, in lower case.
func baseName(partition string) string {
	name := strings.ToLower(partition)
	for _, slot := range []string{"_a", "_b"} {
		if s, ok := strings.CutSuffix(name, slot); ok {
			return s
		}
	}
	return name
}

// isPartitionName tells a partition of a phone from a path of this computer.
// GPT names have at most 36 characters.
func isPartitionName(s string) bool {
	if s == "" || len(s) > 36 || s[0] == '.' || s[0] == '-' {
		return false
	}
	for _, r := range s {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", r) {
			return false
		}
	}
	return true
}
